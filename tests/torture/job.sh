#!/bin/sh
# One attempt of a torture job: job.sh DIR KIND. It writes down that it runs, and holds a lock for as long as anything of
# its tree is alive (children inherit descriptor 9), so that a second attempt beside it is caught.
dir=$1 kind=$2
exec 9>>"$dir/locks/$JOBD_JOB_ID"
if flock -n 9; then
    echo "run $JOBD_JOB_ID $JOBD_ATTEMPT" >>"$dir/effects"
else
    echo "overlap $JOBD_JOB_ID $JOBD_ATTEMPT" >>"$dir/effects"
fi
case $kind in
quick) ;;
slow) sleep 0.2 ;;
fail) exit 3 ;;
escape) # a grandchild in a session of its own that ignores SIGTERM, and would stay for ever
    setsid sh -c 'trap "" TERM; setsid sleep 3600 & sleep 3600' &
    sleep 0.1
    ;;
esac
