using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Tests.Ranks;

public sealed class StopSignalsTests : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-signals-").FullName;

    public void Dispose() => Directory.Delete(_run, recursive: true);

    [Fact]
    public void ASaveFileIsTakenOnceByOneOfAllWhoLook()
    {
        int saves = 0,
            stops = 0;
        using var one = new StopSignals(() => Interlocked.Increment(ref stops), _run, () => Interlocked.Increment(ref saves));
        using var two = new StopSignals(() => Interlocked.Increment(ref stops), _run, () => Interlocked.Increment(ref saves));
        string file = Path.Combine(_run, StopSignals.SaveFileName);
        File.WriteAllText(file, "");
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref saves) > 0, TimeSpan.FromSeconds(20)));
        Thread.Sleep(1500);
        Assert.Equal((1, 0), (saves, stops));
        Assert.Empty(Directory.GetFiles(_run));
    }

    [Fact]
    public void AStopFileAsksToStopAndStays()
    {
        using var asked = new ManualResetEventSlim();
        using var signals = new StopSignals(asked.Set, _run);
        string file = Path.Combine(_run, StopSignals.StopFileName);
        File.WriteAllText(file, "");
        Assert.True(asked.Wait(TimeSpan.FromSeconds(20)));
        Assert.True(File.Exists(file));
    }
}
