"""Releases on S3: an imitation of it that runs on this machine, with users and permissions."""

import json
import socket
from pathlib import Path

import pytest
import requests

from affectory.cli import main
from affectory.core.addresses import place
from baselines.data.release import load
from tests.curation.stores import contents, make_store, post, write_recipe

pytestmark = pytest.mark.slow

POSTS = [post(i, "happy" if i % 2 else "creepy") for i in range(40)]
DENIED = "Access Denied"
STEP = "use credentials that may do this (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"


@pytest.fixture(scope="module")
def server():
    """The address of the server; its users are asked for their permissions once `reset-auth` says so."""
    from moto.server import ThreadedMotoServer  # here and below: they take seconds

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(server, tmp_path, monkeypatch):
    """A client of the server, with the bucket `bucket`; commands are typed in a new folder with a store."""
    import boto3

    requests.post(f"{server}/moto-api/reset")
    names = {
        "AWS_ENDPOINT_URL": server,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    names |= {f"AWS_{one}_FILE": str(tmp_path / "none") for one in ("SHARED_CREDENTIALS", "CONFIG")}
    for name, value in (names | {"AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(name, value)
    sign_in(monkeypatch, "testing", "testing")
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", POSTS)
    write_recipe(tmp_path / "recipes")
    yield client
    requests.post(f"{server}/moto-api/reset-auth", data="inf")
    client.close()


def forget_connections():
    """Have the next command read its credentials and the server's address, as a new process does."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def sign_in(monkeypatch, key, secret):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    forget_connections()


def only(server, monkeypatch, *statements):
    """Sign in as a user with these permissions alone: pairs of actions and the keys in the bucket."""
    import boto3

    iam = boto3.client("iam")
    iam.create_user(UserName="user")
    allowed = [
        {
            "Effect": "Allow",
            "Action": actions,
            "Resource": ["arn:aws:s3:::bucket", f"arn:aws:s3:::bucket/{keys}"],
        }
        for actions, keys in statements
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName="user", PolicyName="some", PolicyDocument=document)
    made = iam.create_access_key(UserName="user")["AccessKey"]
    iam.close()
    requests.post(f"{server}/moto-api/reset-auth", data="0")
    sign_in(monkeypatch, made["AccessKeyId"], made["SecretAccessKey"])


def build(out, *more):
    options = ["--datasets", "recipes", "--store", "store", "--workers", "1", "--out", out]
    return main(["build", "test", *options, *more])


def stored(client, prefix=""):
    found = client.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
    return {one["Key"].removeprefix(prefix): one["ETag"] for one in found}


def test_a_release_on_s3_has_the_same_files_as_in_a_folder_and_is_built_once(s3, capsys):
    assert build("out") == 0
    capsys.readouterr()
    assert build("s3://bucket/datasets") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "test 1.0.0"
    assert said[-3:-1] == [
        "release s3://bucket/datasets/test/1.0.0",
        "report  s3://bucket/datasets/test/1.0.0/report.html",
    ]
    before = stored(s3, "datasets/test/")
    s3.download_file("bucket", "datasets/test/1.0.0/report.html", "report.html")
    assert before.keys() == contents(Path("out/test")).keys()
    for key in before:
        body = s3.get_object(Bucket="bucket", Key=f"datasets/test/{key}")["Body"].read()
        assert body == Path("out/test", key).read_bytes()
    assert build("s3://bucket/datasets") == 0
    assert capsys.readouterr().out.startswith("test 1.0.0 already built: same recipe, store and format\n")
    assert stored(s3, "datasets/test/") == before


def test_another_machine_builds_the_next_version_without_the_files_of_the_first(
    s3, tmp_path, monkeypatch, capsys
):
    assert build("s3://bucket/datasets") == 0
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    recipe = '[[filters]]\nuse = "words"\nmin = 2\n'
    write_recipe(tmp_path / "other" / "recipes", recipe)
    (tmp_path / "other" / "store").symlink_to(tmp_path / "store")
    assert build("s3://bucket/datasets") == 0
    copy = Path("data/mirrors/s3/bucket/datasets/test")
    assert sorted(path.name[:4] for path in (copy / "1.0.0").iterdir()) == [
        "drop",
        "ids-",
        "ids-",
        "ids-",
        "mani",
    ]
    capsys.readouterr()
    older = load("test", place("s3://bucket/datasets"), version="1.0.0", cache=tmp_path / "cache")
    assert (older.version, len(older.everything())) == ("1.0.0", 40)
    assert main(["verify", "s3://bucket/datasets/test"]) == 0
    assert capsys.readouterr().out == (
        "release test 1.1.0: 7 files, 40 rows, 40 images: all right\n"
        "release test 1.0.0: 7 files, 40 rows, 40 images: all right\n"
    )


def test_what_is_read_on_s3_is_the_release(s3, tmp_path, monkeypatch):
    from datasets import load_dataset

    assert (build("out"), build("s3://bucket/datasets")) == (0, 0)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    there = load("test", place("s3://bucket/datasets"), cache=tmp_path / "cache")
    here = load("test", tmp_path / "out", cache=tmp_path / "cache2")
    assert (there.version, there.counts(), there.has_images) == ("1.0.0", here.counts(), True)
    digests = [[one.parts[split].digests.tolist() for split in one.parts] for one in (there, here)]
    assert digests[0] == digests[1]
    plain = load_dataset(
        "parquet",
        data_files={"train": "s3://bucket/datasets/test/1.0.0/train-*.parquet"},
        cache_dir=str(tmp_path / "cache3"),
    )
    assert sorted(plain["train"]["post_id"]) == sorted(here.parts["train"].post_ids.tolist())


def test_without_permission_to_write_the_manifest_there_is_no_version_and_the_next_build_sends_it(
    s3, server, monkeypatch, capsys
):
    assert build("out") == 0
    capsys.readouterr()
    only(
        server,
        monkeypatch,
        (["s3:ListBucket", "s3:GetObject", "s3:DeleteObject"], "*"),
        (["s3:PutObject"], "*.parquet"),
        (["s3:PutObject"], "*/report.html"),
        (["s3:PutObject"], "*/croissant.json"),
    )
    assert build("s3://bucket/datasets") == 2
    assert capsys.readouterr() == (
        "",
        f"error: 's3://bucket/datasets/test/1.0.0/manifest.json' can't be written: {DENIED}; {STEP}\n",
    )
    requests.post(f"{server}/moto-api/reset-auth", data="inf")
    assert "datasets/test/1.0.0/manifest.json" not in stored(s3)
    assert len(stored(s3)) == 9
    sign_in(monkeypatch, "testing", "testing")
    assert build("s3://bucket/datasets") == 0
    assert stored(s3, "datasets/test/").keys() == contents(Path("out/test")).keys()


def test_an_object_store_that_can_not_be_used_is_one_line(s3, server, monkeypatch, capsys):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert build("s3://missing/datasets") == 2
        assert capsys.readouterr().err == (
            "error: 's3://missing/datasets/test' can't be read: The specified bucket does not exist; "
            "make the bucket, or name another address\n"
        )
        only(server, monkeypatch, (["s3:GetObject"], "*"))
        assert build("s3://bucket/datasets") == 2
        assert capsys.readouterr().err == (
            f"error: 's3://bucket/datasets/test' can't be read: {DENIED}; {STEP}\n"
        )
        monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere)
        forget_connections()
        assert build("s3://bucket/datasets") == 2
        said = capsys.readouterr().err
        assert said.startswith(
            "error: 's3://bucket/datasets/test' can't be read: Could not connect to the endpoint"
        )
        assert (said.count("\n"), said.endswith("connection, and run the command again\n")) == (1, True)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        forget_connections()
        assert build("s3://bucket/datasets") == 2
        assert capsys.readouterr().err == (
            f"error: 's3://bucket/datasets/test' can't be read: Unable to locate credentials; {STEP}\n"
        )
    assert build("s3://KEY:SECRET@bucket/datasets") == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "error: 's3://bucket/datasets/test' was given with a password or a query: leave it out;"
    )
    assert (said.count("\n"), "SECRET@" in said) == (1, False)


def test_what_must_be_in_a_folder_is_refused_at_an_address_in_one_line(s3, capsys):
    for given in (
        ["build", "test", "--datasets", "recipes", "--store", "s3://bucket/store"],
        ["collect", "reddit", "--subs", "happy", "--store", "s3://bucket/store"],
        ["diff", "s3://bucket/store", "store"],
        ["verify", "s3://bucket/store"],
        ["init", "--datasets", "s3://bucket/store"],
        ["trace", "reddit:00001", "--datasets", "s3://bucket/store"],
        ["run", "test", "--out", "s3://bucket/store"],
    ):
        assert main(given) == 2
        said = capsys.readouterr().err
        assert (said.startswith("error: 's3://bucket/store' is "), said.count("\n")) == (True, 1), said
    assert not Path("s3:").exists()
