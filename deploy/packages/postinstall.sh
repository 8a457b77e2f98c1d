#!/bin/sh
# Restarts a running service after an upgrade. A first installation starts nothing, because the secret and the database
# are not configured yet. An error of systemctl does not fail the installation: systemctl prints it.
set -eu
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload || :
systemctl try-restart lockbox.service || :
