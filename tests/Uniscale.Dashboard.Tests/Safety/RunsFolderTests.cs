using System.Diagnostics;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Safety;

public sealed class RunsFolderTests : IDisposable
{
    private const string Secret = "the secret";

    private readonly TemporaryFolder _outside = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _outside.Dispose();
    }

    private string? Text(string run, string name) => new RunsFolder(_folder.FullPath).Text(_folder.In(run), name, 1_000);

    [Fact]
    public void WhatLiesInARunIsRead()
    {
        _folder.Write("a/logs/x.log", "hello");
        Assert.Equal("hello", Text("a", "logs/x.log"));
        Assert.Null(Text("a", "nothing"));
        Assert.Null(Text("a", "logs"));
        Assert.Null(new RunsFolder(_folder.FullPath).Text(_folder.In("a"), "logs/x.log", 4));
    }

    [Theory]
    [InlineData("../secret.txt")]
    [InlineData("../../secret.txt")]
    [InlineData("a/../../../../../../../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("/proc/self/environ")]
    [InlineData("a\0b")]
    [InlineData("..")]
    public void NoNameLeadsOut(string name)
    {
        _folder.Write("a/metrics.jsonl", "x");
        string secret = Path.Combine(Path.GetDirectoryName(_folder.FullPath)!, "secret.txt");
        File.WriteAllText(secret, Secret);
        try
        {
            Assert.Null(Text("a", name));
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [Fact]
    public void NoLinkLeadsOut()
    {
        _outside.Write("metrics.jsonl", Secret);
        Directory.CreateDirectory(_folder.In("a"));
        File.CreateSymbolicLink(_folder.In("a/metrics.jsonl"), _outside.In("metrics.jsonl"));
        File.CreateSymbolicLink(_folder.In("a/relative"), "../../" + Path.GetFileName(_outside.FullPath) + "/metrics.jsonl");
        Directory.CreateSymbolicLink(_folder.In("a/checkpoints"), _outside.FullPath);
        Directory.CreateSymbolicLink(_folder.In("b"), _outside.FullPath);
        var door = new RunsFolder(_folder.FullPath);
        Assert.Null(Text("a", "metrics.jsonl"));
        Assert.Null(Text("a", "relative"));
        Assert.Null(Text("a", "checkpoints/metrics.jsonl"));
        Assert.Null(Text("b", "metrics.jsonl"));
        Assert.Empty(door.Files(_folder.In("a/checkpoints"), "*"));
        Assert.Empty(door.Files(_folder.In("b"), "*"));
        Assert.Empty(door.Files(_outside.FullPath, "*"));
        Assert.DoesNotContain(door.Find(), run => run.Name == "b");
    }

    [Fact]
    public void AServedFolderMayItselfBeALink()
    {
        _folder.Write("runs/a/metrics.jsonl", "x");
        Directory.CreateSymbolicLink(_folder.In("link"), _folder.In("runs"));
        var door = new RunsFolder(_folder.In("link"));
        Assert.Equal("x", door.Text(Assert.Single(door.Find()).FullPath, "metrics.jsonl", 10));
    }

    [Fact]
    public async Task APipeDoesNotHoldThePage()
    {
        Directory.CreateDirectory(_folder.In("a"));
        using (var made = Process.Start("mkfifo", _folder.In("a/metrics.jsonl")))
            made.WaitForExit();
        File.CreateSymbolicLink(_folder.In("a/config.yaml"), "/dev/zero");
        var read = Task.Run(() => (Text("a", "metrics.jsonl"), Text("a", "config.yaml")));
        Assert.Equal((null, null), await read.WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public void RunsAndSweepsAreFound()
    {
        _folder.Write("one/metrics.jsonl", "x");
        _folder.Write("one/checkpoints/step-1/config.yaml", "x");
        _folder.Write("deep/er/two/config.yaml", "x");
        _folder.Write("sweep/plan.json", "{}");
        _folder.Write("sweep/run-0001/metrics.jsonl", "x");
        _folder.Write("started/launch/events.jsonl", "x");
        _folder.Write(".hidden/metrics.jsonl", "x");
        _folder.Write("nothing/else.txt", "x");
        var found = new RunsFolder(_folder.FullPath).Find();
        Assert.Equal(["deep/er/two", "one", "started", "sweep", "sweep/run-0001"], found.Select(run => run.Name));
        Assert.Equal("sweep", Assert.Single(found, run => run.IsSweep).Name);
        Assert.All(found, run => Assert.Matches("^[0-9a-f]{16}$", run.Id));
        Assert.Equal("one", Path.GetFileName(Assert.Single(new RunsFolder(_folder.In("one")).Find()).FullPath));
    }

    [Fact]
    public void ARequestIsLeftInTheRunAloneAndThroughNoLink()
    {
        _folder.Write("a/metrics.jsonl", "x");
        File.CreateSymbolicLink(_folder.In("a/stop"), _outside.In("made"));
        var door = new RunsFolder(_folder.FullPath);
        var run = Assert.Single(door.Find());
        Assert.True(door.Leave(run, "save"));
        Assert.True(File.Exists(_folder.In("a/save")));
        Assert.False(door.Leave(run, "stop"));
        Assert.False(File.Exists(_outside.In("made")));
    }
}
