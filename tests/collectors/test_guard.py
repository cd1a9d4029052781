"""No link in a post can lead the crawler to a machine of the private network."""

import asyncio
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.http.guard import GuardedResolver, PrivateAddress, check_url, is_public

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # a cloud's metadata service
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::1%lo",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",  # site-local, deprecated
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:10.0.0.1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",  # 6to4 of 169.254.169.254
    "2001:0:7f00:1::",  # Teredo
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::7f00:1",  # NAT64, a local prefix
]
PUBLIC = [
    "1.1.1.1",
    "151.101.1.140",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a04:4e42::396",
    "::ffff:1.1.1.1",
    "2002:101:101::1",
    "64:ff9b::1.1.1.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_public(address):
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"http://{host}/latest/meta-data/") == "private_address"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address):
    assert is_public(address)
    assert check_url(f"https://{f'[{address}]' if ':' in address else address}:8080/a.jpg") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST:8080/",
        "http://localhost./",
        "http://admin.localhost/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",  # full-width digits: aiohttp reads 127.0.0.1
        "http://127。0。0。1/",  # ideographic full stops: the same
        "http://ⓛocalhost/",
    ],
)
def test_another_spelling_of_this_machine_is_private(url):
    assert check_url(url) == "private_address"


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/",  # 127.0.0.1 as inet_aton() reads it
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://0/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
    ],
)
def test_a_number_that_is_no_dotted_quad_is_no_host(url):
    assert check_url(url) == "bad_url"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "i.redd.it/a.jpg",
        "//i.redd.it/a.jpg",
        "/a.jpg",
        "http://",
        "http:///a.jpg",
        "http:a.jpg",
        "file:///etc/passwd",
        "ftp://i.redd.it/a.jpg",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "gopher://i.redd.it/",
        "http://user@i.redd.it/",
        "http://user:secret@i.redd.it/",
        "http://@i.redd.it/",
        "http://127.0.0.1\\@i.redd.it/",
        "http://i.redd.it:port/",
        "http://i.redd.it:65536/",
        "http://i.redd.it:-1/",
        "http://[::1/",
        "http://[zz]/",
        "http://example..com/a.jpg",
        "http://.example.com/",
        "http://" + "a" * 64 + ".com/",
    ],
)
def test_what_is_no_web_address_is_a_bad_url(url):
    assert check_url(url) == "bad_url"


@pytest.mark.parametrize(
    "url",
    [
        "http://i.redd.it/a.jpg",
        "HTTPS://I.REDD.IT:443/a.jpg?x=1#y",
        "https://bücher.example/ä.jpg",
        "https://some_host.example./a b.jpg",
        "https://3.example/",
        "https://0x7f.example/",
        "https://localhost.example/",
    ],
)
def test_a_named_host_may_be_asked(url):
    assert check_url(url) is None


@given(st.text() | st.builds("http://{}/{}".format, st.text(), st.text()))
@example("http://[::ffff:127.0.0.1%/")
@example("http://\ud800.com/")
@example("http://i.redd.it/\ud800")
@example("http://xn--\u0378/")
def test_any_text_is_judged_and_never_raises(url):
    assert check_url(url) in (None, "bad_url", "private_address")


@pytest.mark.slow
@given(st.ip_addresses(v=6).filter(lambda ip: ip.exploded[0] not in "23"))
def test_ipv6_outside_the_routed_block_is_public_only_as_a_wrapping_of_ipv4(ip):
    inner = ip.ipv4_mapped
    assert not is_public(str(ip)) or inner is not None or str(ip).startswith("64:ff9b::")


def resolve(name, family=socket.AF_UNSPEC):
    async def go():
        resolver = GuardedResolver()
        try:
            return await resolver.resolve(name, 80, family)
        finally:
            await resolver.close()

    return asyncio.run(go())


def test_the_resolver_refuses_names_and_numbers_that_stand_for_this_machine():
    for name in ("localhost", "127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1"):
        with pytest.raises(PrivateAddress, match=r"resolves to 127\.0\.0\.1"):
            resolve(name, socket.AF_INET)


def test_the_resolver_gives_the_addresses_of_a_public_host():
    (found,) = resolve("1.1.1.1", socket.AF_INET)
    assert (found["host"], found["port"]) == ("1.1.1.1", 80)


def test_a_name_that_cannot_be_one_is_an_os_error():
    for name in ("example..com", "a" * 64 + ".com"):
        with pytest.raises(OSError, match="is not a host name"):
            resolve(name)
