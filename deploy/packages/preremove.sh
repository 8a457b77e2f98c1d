#!/bin/sh
# Stops the service before a removal. Before an upgrade it does nothing, because postinstall.sh restarts the service.
# Before a removal, the first argument is "remove" for deb. For rpm, it is 0, the number of versions that stay
# installed.
set -eu
case ${1:-} in remove | 0) ;; *) exit 0 ;; esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now lockbox.service || :
