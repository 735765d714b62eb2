#!/usr/bin/env perl
# A warm program in Perl. jobd starts it once and gives it one job after another: a line of JSON
# on standard input. Its answers are lines of JSON on descriptor 3; what it prints is a log.
use strict;
use warnings;
use IO::Handle;
use JSON::PP;

my $json = JSON::PP->new->utf8;
open(my $answers, '>&=', $ENV{JOBD_FD}) or die "descriptor $ENV{JOBD_FD}: $!";
$answers->autoflush(1);
STDOUT->autoflush(1);
sub say_it { print {$answers} $json->encode({@_}), "\n" }

# What takes long to set up is set up here, once.
say_it(ready => JSON::PP::true);
while (my $line = <STDIN>) {
    my $job = $json->decode($line);
    my $result = eval {
        my $text = $job->{args}{text} // die "args has no text\n";
        say_it(id => $job->{id}, progress => 0.5, message => 'breathing in');
        print "shouting $text\n";
        { shout => uc($text) . '!' };
    };
    say_it(id => $job->{id}, $result ? (result => $result) : (error => "$@"));
}
