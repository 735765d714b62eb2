#!/usr/bin/env node
// A warm program in JavaScript (Node). jobd starts it once and gives it one job after another: a
// line of JSON on standard input. Its answers are lines of JSON on descriptor 3.
"use strict";
const fs = require("fs");
const readline = require("readline");

const channel = Number(process.env.JOBD_FD);
const say = (message) => fs.writeSync(channel, JSON.stringify(message) + "\n");

// What takes long to set up is set up here, once.
say({ ready: true });
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const job = JSON.parse(line);
  try {
    say({ id: job.id, progress: 0.5, message: "breathing in" });
    console.log("shouting", job.args.text); // the job's log
    say({ id: job.id, result: { shout: job.args.text.toUpperCase() + "!" } });
  } catch (error) {
    say({ id: job.id, error: { message: String(error) } });
  }
});
