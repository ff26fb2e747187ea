#!/bin/sh
# One HylaFAX server, as process 1 of its own mount and PID namespace.
#
#   instance.sh FOLDER PORT NAME=TERMINAL...
#
# FOLDER holds spool/ (with etc/ in it), lock/ and dev/. Standard input is the
# lifeline: when it ends, because the owner stopped or died, everything here
# ends with it.
set -u
folder=$1 port=$2
shift 2

fail() {
    echo "$*" >&2
    exit 1
}

# A private /dev, so that every instance may call its modems ttyFAX0, ttyFAX1, ...
dev=$folder/dev
mount -t tmpfs -o mode=755 lab "$dev" || fail "no private /dev"
for node in null zero full random urandom tty; do
    : >"$dev/$node"
    mount --bind "/dev/$node" "$dev/$node" || fail "no /dev/$node"
done
mkdir "$dev/pts" "$dev/shm"
mount --rbind /dev/pts "$dev/pts" || fail "no /dev/pts"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
for modem in "$@"; do
    ln -s "${modem#*=}" "$dev/${modem%%=*}"
done
mount --rbind "$dev" /dev || fail "/dev cannot be replaced"
mount --bind "$folder/spool" /var/spool/hylafax || fail "no private spool"
mount --bind "$folder/spool/etc" /etc/hylafax || fail "no private configuration"
mount --bind "$folder/lock" /run/lock || fail "no private lock folder"

cd /var/spool/hylafax || fail "no spool"
log=/var/spool/hylafax/log
# HylaFAX closes every descriptor that it might have, each time it starts a program.
ulimit -n 256
/usr/sbin/faxq -D </dev/null >>$log/faxq.out 2>&1 &
faxq=$!
# hfaxd speaks to faxq through its FIFO and complains while there is none.
tries=0
while [ ! -p FIFO ] && [ $tries -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
/usr/sbin/hfaxd -d -l 127.0.0.1 -i "$port" </dev/null >>$log/hfaxd.out 2>&1 &
hfaxd=$!
# faxgetty expects init to start it again when it ends.
for modem in "$@"; do
    (
        while :; do
            /usr/sbin/faxgetty "${modem%%=*}"
            sleep 0.5
        done </dev/null >>$log/faxgetty.out 2>&1
    ) &
done

leave() {
    trap '' TERM
    kill -TERM -1 2>/dev/null
    sleep 0.2
    exit 0
}
trap leave TERM
exec 3<&0
# The watcher turns the end of the lifeline into a signal, so that process 1 is
# free to reap.
(
    cat <&3 >/dev/null
    kill -TERM 1
) &
exec 3<&- </dev/null
while kill -0 $faxq 2>/dev/null && kill -0 $hfaxd 2>/dev/null; do
    sleep 1
done
leave
