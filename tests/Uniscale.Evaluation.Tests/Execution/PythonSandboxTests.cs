using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Uniscale.Evaluation.Execution;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Execution;

/// <summary>Programs that a model might write: sound ones pass, and each breach fails.</summary>
public sealed class PythonSandboxTests
{
    private static readonly PythonSandbox Sandbox = new(new SandboxLimits { Time = TimeSpan.FromSeconds(20) });

    public PythonSandboxTests() => Namespaces.Need();

    [Theory]
    [InlineData("assert sum(range(5)) == 10")]
    [InlineData("import math, re, json, collections\nopen('notes', 'w').write('x' * 1000)\nassert len(open('notes').read()) == 1000")]
    [InlineData("import subprocess\nassert subprocess.run(['/bin/true']).returncode == 0\nprint('x' * 100000)")]
    public void ASoundProgramPasses(string program)
    {
        Sandbox.Check();
        var (passed, error) = Sandbox.Run(program);
        Assert.True(passed, error);
    }

    [Theory]
    [InlineData("assert 1 == 2", "AssertionError")]
    [InlineData("def f(:", "SyntaxError")]
    [InlineData("import sys\nsys.exit(0)", "")]
    [InlineData("import os\nos._exit(0)", "")]
    [InlineData("'''", "unterminated")]
    // No network: not even the machine's own.
    [InlineData("import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)", "unreachable")]
    // No writing outside its folder, and nothing of the system's to read.
    [InlineData("open('/usr/written', 'w')", "Read-only file system")]
    [InlineData("open('/bin/written', 'w')", "Read-only file system")]
    [InlineData("open('/written', 'w')", "Read-only file system")]
    [InlineData("open('/tmp/written', 'w')", "No such file")]
    [InlineData("open('/etc/passwd')", "No such file")]
    [InlineData("open('/proc/1/environ')", "No such file")]
    [InlineData("import os\nos.remove('/usr/bin/python3')", "Read-only file system")]
    // Memory, files and processes are bounded.
    [InlineData("x = bytearray(2 << 30)", "MemoryError")]
    [InlineData("f = open('large', 'wb')\nfor i in range(100): f.write(bytes(1 << 20))", "")]
    [InlineData("import os, time\nfor i in range(50):\n  if os.fork() == 0: time.sleep(60)", "BlockingIOError")]
    [InlineData(
        "import threading, time\nfor i in range(50): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "can't start new thread"
    )]
    // No privileges to be won back.
    [InlineData("import os\nos.setuid(1)", "OSError")]
    [InlineData("import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/work', b'tmpfs', 0, None) == 0", "AssertionError")]
    [InlineData("import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0", "AssertionError")]
    public void ABreachFails(string program, string why)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var (passed, error) = Sandbox.Run(
            program.Replace("PORT", $"{((IPEndPoint)listener.LocalEndpoint).Port}", StringComparison.Ordinal)
        );
        Assert.False(passed);
        Assert.Contains(why, error, StringComparison.Ordinal);
        Assert.False(listener.Pending());
        Assert.False(File.Exists("/tmp/written"));
    }

    /// <summary>Sleeping and computing; what it has started ends with it.</summary>
    [Theory]
    [InlineData("import time\ntime.sleep(60)")]
    [InlineData("while True: pass")]
    [InlineData("import os\nos.fork()\nos.fork()\nwhile True: pass")]
    public void TimeIsBounded(string program)
    {
        var watch = Stopwatch.StartNew();
        var (passed, error) = new PythonSandbox(new SandboxLimits { Time = TimeSpan.FromSeconds(2) }).Run(program);
        Assert.Equal((false, "the time is up"), (passed, error));
        Assert.InRange(watch.Elapsed.TotalSeconds, 2, 15);
    }
}
