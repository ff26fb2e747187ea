#!/bin/sh
# Fetches mgetty's source from Debian and builds mgetty and sendfax with their
# Class 1 driver, which Debian's package is built without.
#
#   mgetty.sh FOLDER
#
# Programs, configuration, locks, logs and received pages all stay in FOLDER, and
# nothing is installed. Needs apt-get, a C compiler and make, and root to run later.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
mkdir -p "$folder/etc" "$folder/lock" "$folder/spool" "$folder/lists/partial"
cd "$folder"

# A list of sources of our own, from where the machine has its packages: it may have
# no list of sources.
archive=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' |
    sed -n 's/^Debian bookworm //p' | head -n 1)
[ -n "$archive" ] || {
    echo "no archive of Debian bookworm is known here" >&2
    exit 1
}
echo "deb-src $archive bookworm main" >sources.list
apt() {
    apt-get -q -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$folder/lists" -o APT::Sandbox::User=root "$@"
}
apt update
apt source --download-only --tar-only mgetty
tar xf mgetty_*.orig.tar.*
cd mgetty-*/

# Today's C library no longer has sys_errlist.
sed -i 's/( errnr <= sys_nerr ) ? sys_errlist\[errnr\]:/1 ? strerror(errnr):/' logfile.c
sed -i -e "s|^#define LOG_PATH .*|#define LOG_PATH \"$folder/mgetty.%s.log\"|" \
    -e "s|^#define FAX_LOG.*|#define FAX_LOG \"$folder/sendfax.log\"|" \
    -e "s|^\( *# *define MAILER\).*|\1 \"cat >/dev/null\"|" \
    -e "s|\"/var/lock/LCK|\"$folder/lock/LCK|" policy.h
make CFLAGS="-O1 -w -std=gnu89 -DCLASS1" CONFDIR="$folder/etc" mgetty sendfax >make.log 2>&1 || {
    tail -n 20 make.log >&2
    exit 1
}
cp mgetty sendfax "$folder/"
cat >"$folder/etc/mgetty.config" <<END
debug 5
modem-type cls1
fax-only yes
rings 1
fax-id 49 30 5678
fax-spool-in $folder/spool
END
cat >"$folder/etc/sendfax.config" <<END
debug 5
modem-type cls1
fax-id 49 30 1234
END
