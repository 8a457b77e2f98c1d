#!/bin/sh
# Stops the service before a removal. An upgrade restarts it later. The first argument is "remove" or the version for
# deb, and the number of versions that stay installed for rpm.
set -eu
case ${1:-} in remove | 0) ;; *) exit 0 ;; esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now lockbox.service
