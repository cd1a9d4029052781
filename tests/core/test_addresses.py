import errno
import re
from pathlib import Path

import pytest
import tyro

from affectory.core.addresses import Address, check_folder, place, reached
from affectory.core.errors import AffectoryError, InputError
from affectory.core.place_option import PlaceOption


def test_a_text_with_a_protocol_is_an_address_and_any_other_a_folder():
    assert place("s3://bucket/datasets/") == Address("s3://bucket/datasets")
    assert place("S3://Bucket/A") == Address("s3://Bucket/A")
    assert place("memory://a") == Address("memory://a")
    assert place("datasets") == Path("datasets")
    assert place("C:/datasets") == Path("C:/datasets")
    assert place("file:///srv/datasets") == Path("/srv/datasets")
    assert place("local://datasets") == Path("datasets")


def test_an_address_is_joined_and_taken_apart_like_a_path():
    found = place("s3://bucket/datasets") / "vso"
    assert (str(found), found.name, found.parent) == (
        "s3://bucket/datasets/vso",
        "vso",
        Address("s3://bucket/datasets"),
    )
    assert found.with_name("vso-ids") == Address("s3://bucket/datasets/vso-ids")


def test_an_option_keeps_both_slashes_and_shows_its_default():
    def command(out: PlaceOption = Path("datasets")) -> object:
        return out

    assert tyro.cli(command, args=["--out", "s3://bucket/x"]) == Address("s3://bucket/x")
    assert tyro.cli(command, args=["--out", "x"]) == Path("x")
    assert tyro.cli(command, args=[]) == Path("datasets")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("s3://KEY:SECRET@bucket/x", "s3://bucket/x"),
        ("s3://KEY:SEC/R@ET@bucket/x", "s3://bucket/x"),
        ("sftp://me:SECRET@host/x", "sftp://host/x"),
        ("s3://bucket/x?X-Amz-Signature=SECRET", "s3://bucket/x"),
    ],
)
def test_a_password_in_an_address_is_refused_and_never_shown(given, shown):
    assert str(place(given)) == shown
    with pytest.raises(InputError) as caught:
        place(given).opened()
    assert str(caught.value).startswith(f"{shown!r} was given with a password or a query: leave it out; ")
    assert "SEC" not in str(caught.value).partition("AWS_")[0]


@pytest.mark.parametrize("given", ["s3://", "s3://bucket/../x", "s3://bucket//x", "zip://a::s3://bucket/x"])
def test_what_is_not_the_address_of_a_folder_is_one_line(given):
    with pytest.raises(InputError, match=r"is not the address of a folder: write it as s3://BUCKET/FOLDER$"):
        place(given).opened()


def test_an_unknown_protocol_and_a_missing_package_are_one_line():
    with pytest.raises(InputError) as caught:
        place("nowhere://bucket/x").opened()
    assert str(caught.value) == (
        "'nowhere://bucket/x': no protocol 'nowhere' is known: name a folder, or an address such as "
        "s3://BUCKET/FOLDER"
    )
    with pytest.raises(InputError) as caught, reached(place("s3://bucket/x"), "read"):
        raise ImportError("Install s3fs to access S3")
    assert str(caught.value) == (
        "'s3://bucket/x' needs a package that isn't installed: pip install 'affectory[s3]'"
    )
    with pytest.raises(InputError) as caught, reached(place("gs://bucket/x"), "read"):
        raise ImportError("Please install gcsfs to access Google Storage")
    assert str(caught.value) == (
        "'gs://bucket/x' needs a package that isn't installed: Please install gcsfs to access Google Storage"
    )


def test_an_error_of_a_protocol_is_one_line_without_secrets_and_one_of_the_disk_stays():
    with pytest.raises(AffectoryError) as caught, reached(place("s3://bucket/x"), "read"):
        raise RuntimeError('no answer from "https://me:SECRET@host/x?token=SECRET"\nand more')
    assert str(caught.value) == (
        "'s3://bucket/x' can't be read: no answer from \"https://host/x\"; check the address and the "
        "connection, and run the command again"
    )
    with pytest.raises(OSError, match="No space left"), reached(place("s3://bucket/x"), "read"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_address_where_a_folder_is_needed_is_one_line():
    check_folder(Path("data/reddit"), "a crawl store")
    check_folder(Path(), "a crawl store")
    with pytest.raises(InputError, match=re.escape("'s3://bucket/reddit' is an address, and a crawl ")):
        check_folder(Path("s3://bucket/reddit"), "a crawl store")
