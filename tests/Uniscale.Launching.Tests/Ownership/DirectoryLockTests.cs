using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Launching.Ownership;

namespace Uniscale.Launching.Tests.Ownership;

public sealed class DirectoryLockTests : IDisposable
{
    private static readonly ProcessIdentity Elsewhere = new("n0417", 4711, 12345, "another-start pid:[1]");

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    private string OwnerFile => DirectoryLock.OwnerFile(_folder, "run");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ADirectoryIsOneProcessAtATimeAndTheOtherIsNamed()
    {
        using (Take())
        {
            string sentence = Assert.Throws<UserErrorException>(() => Take()).Message;
            Assert.StartsWith(
                $"The run in {_folder} is in use by process {Environment.ProcessId} on {Environment.MachineName}: wait for its end",
                sentence
            );
        }
        Take().Dispose();
        Assert.True(OwnerRecord.Read(OwnerFile)!.IsReleased);
    }

    /// <summary>The record of a killed process stays; its number may be another's by now.</summary>
    [Fact]
    public void WhatAKilledProcessHeldIsTakenAtOnce()
    {
        using var sleeper = Process.Start("sleep", "60");
        var killed = new ProcessIdentity(Environment.MachineName, sleeper.Id, BeganOf(sleeper.Id), ProcessIdentity.Own.Place);
        Assert.True(killed.IsAlive());
        new OwnerRecord("theirs", killed, 7, IsReleased: false).Write(OwnerFile, FileMode.Create);
        Assert.Contains($"in use by process {sleeper.Id} ", Assert.Throws<UserErrorException>(() => Take()).Message);

        sleeper.Kill();
        sleeper.WaitForExit();
        Assert.False(killed.IsAlive());
        Take(say: _ => Assert.Fail("nothing is to be waited for")).Dispose();

        Assert.False((ProcessIdentity.Own with { Began = ProcessIdentity.Own.Began - 1 }).IsAlive());
    }

    /// <summary>Of a process on another host the beat alone tells, where the file system's locks do not reach.</summary>
    [Fact]
    public void AnOwnerElsewhereLivesAsLongAsItsBeatMoves()
    {
        var beat = new OwnerRecord("theirs", Elsewhere, 7, IsReleased: false);
        beat.Write(OwnerFile, FileMode.Create);
        var said = new List<string>();
        using (var beating = new Timer(_ => (beat = beat with { Beat = beat.Beat + 1 }).Write(OwnerFile, FileMode.Open), null, 0, 50))
            Assert.Contains(
                "in use by process 4711 on n0417",
                Assert.Throws<UserErrorException>(() => Take(said.Add, TimeSpan.FromSeconds(60))).Message
            );
        Assert.Contains("last used by process 4711 on n0417, which did not leave in order", Assert.Single(said));
        Take(said.Add, TimeSpan.FromSeconds(0.5)).Dispose();

        (beat with { IsReleased = true }).Write(OwnerFile, FileMode.Open);
        Take(_ => Assert.Fail("nothing is to be waited for"), TimeSpan.FromSeconds(60)).Dispose();
    }

    [Fact]
    public void WhoWasTakenOverGoesOnNoFurtherAndLeavesTheOthersRecord()
    {
        using (var held = Take())
        {
            held.Beat();
            held.ThrowIfLost();
            File.Delete(OwnerFile);
            held.Beat();
            Assert.True(File.Exists(OwnerFile));
            new OwnerRecord("theirs", Elsewhere, 1, IsReleased: false).Write(OwnerFile, FileMode.Create);
            held.Beat();
            Assert.Contains(
                $"{_folder} was taken over by process 4711 on n0417",
                Assert.Throws<DirectoryLostException>(held.ThrowIfLost).Message
            );
        }
        Assert.Equal(("theirs", false), (OwnerRecord.Read(OwnerFile)!.Token, OwnerRecord.Read(OwnerFile)!.IsReleased));
    }

    [Fact]
    public void AnotherWayToADirectoryIsTheSameDirectory()
    {
        string link = _folder + "-link",
            other = Path.Combine(_folder, "other");
        Directory.CreateSymbolicLink(link, _folder);
        try
        {
            using var held = Take();
            Assert.Contains("is in use", Assert.Throws<UserErrorException>(() => DirectoryLock.Take(link, "run", "The run")).Message);
            Assert.False(DirectoryLock.IsApart(_folder, link, "run"));
            Directory.CreateDirectory(other);
            File.Copy(OwnerFile, DirectoryLock.OwnerFile(other, "other"));
            Assert.True(DirectoryLock.IsApart(_folder, other, "run"));
        }
        finally
        {
            File.Delete(link);
        }
    }

    private DirectoryLock Take(Action<string>? say = null, TimeSpan? standstill = null) =>
        DirectoryLock.Take(_folder, "run", "The run", say, standstill ?? DirectoryLock.StandstillTime);

    private static long BeganOf(int process) =>
        long.Parse(File.ReadAllText($"/proc/{process}/stat").Split(' ')[21], System.Globalization.CultureInfo.InvariantCulture);
}
