#!/bin/sh
# countdown FROM - count down once a second, with a helper process of its own in the background
# and one in a session of its own, as careless programs have. When jobd cancels the job, all go.
sleep 1000 &
setsid sleep 1000 &
i=$1
while [ "$i" -gt 0 ]; do
    echo "$i"
    sleep 1
    i=$((i - 1))
done
echo 'lift-off'
