#!/bin/sh
# Stops the service before a removal. Before an upgrade it does nothing, because postinstall.sh restarts the service.
# The first argument before a removal is "remove" for deb, and 0 for rpm: the number of versions that stay installed.
set -eu
case ${1:-} in remove | 0) ;; *) exit 0 ;; esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now lockbox.service || :
