#!/bin/sh
# Creates the group and the user of the service, which own files of the package.
set -eu
getent group lockbox >/dev/null || groupadd --system lockbox
getent passwd lockbox >/dev/null ||
	useradd --system --gid lockbox --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin lockbox
