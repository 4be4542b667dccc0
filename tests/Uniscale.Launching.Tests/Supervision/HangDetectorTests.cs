using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class HangDetectorTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static Heartbeat Beat(int rank, double moved, string busy = "", double alive = 1000) =>
        new(rank, "n1", 100 + rank, 1, busy, Start.AddSeconds(alive), Start.AddSeconds(moved));

    private double _observed;

    /// <summary>Observes every second from the last observation to now, as a watcher does.</summary>
    private bool Hangs(HangDetector detector, double now, params Heartbeat[] beats)
    {
        bool hangs = false;
        for (; _observed <= now; _observed++)
            hangs = detector.Observe(beats, Start.AddSeconds(_observed)) is not null;
        return hangs;
    }

    [Fact]
    public void TimeInWhichTheWatcherSleptTooDoesNotCount()
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(20) });
        Assert.False(Hangs(detector, 5, Beat(0, 5), Beat(1, 5)));
        _observed = 3600;
        Assert.False(Hangs(detector, 3615, Beat(0, 5), Beat(1, 5)));
        Assert.True(Hangs(detector, 3621, Beat(0, 5), Beat(1, 5)));
    }

    [Fact]
    public void QuickStepsHangAfterTheMinimum()
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(20) });
        for (int second = 0; second < 10; second++)
            Assert.False(Hangs(detector, second, Beat(0, second), Beat(1, second - 1)));
        Assert.False(Hangs(detector, 29, Beat(0, 9), Beat(1, 9)));
        Assert.True(Hangs(detector, 30, Beat(0, 9), Beat(1, 9)));
    }

    [Fact]
    public void SlowStepsAreGivenTimeByTheirOwnMeasure()
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(20), LongestSteps = 5 });
        for (int step = 0; step < 4; step++)
            Assert.False(Hangs(detector, 30 * step, Beat(0, 30 * step)));
        Assert.Equal(150, detector.Limit.TotalSeconds);
        Assert.False(Hangs(detector, 90 + 149, Beat(0, 90)));
        Assert.True(Hangs(detector, 90 + 151, Beat(0, 90)));
    }

    /// <summary>The clock of one host is wrong, or jumps: neither is a hang, and none hides one.</summary>
    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    public void AClockThatIsWrongOrJumpsIsNoHangAndHidesNone(double jump)
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(20), Busy = TimeSpan.FromSeconds(1000) });
        var clocks = new BeatClocks();
        double now = 0;
        // Rank 1's clock jumps after 100 s; both are busy with a save after 200 s, and after 260 s rank 1 is stopped.
        for (; now < 260; now++)
            Assert.Null(Look(moved: Math.Min(now, 200), alive: now));
        for (; now < 279; now++)
            Assert.Null(Look(200, alive: 259));
        for (; now < 282; now++)
            Look(200, alive: 259);
        Assert.NotNull(Look(200, alive: 259));

        TimeSpan? Look(double moved, double alive)
        {
            string busy = now > 200 ? "saving" : "";
            double ofRank1 = now >= 100 ? jump : 0;
            Heartbeat[] beats = [Beat(0, moved, busy, now), Beat(1, moved + (moved >= 100 ? ofRank1 : 0), busy, alive + ofRank1)];
            return detector.Observe(clocks.Translate(beats, Start.AddSeconds(now)), Start.AddSeconds(now));
        }
    }

    [Fact]
    public void SavingIsNotAHang()
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(2), Busy = TimeSpan.FromSeconds(100) });
        Assert.False(Hangs(detector, 50, Beat(0, 0, "saving"), Beat(1, 0)));
        Assert.True(Hangs(detector, 101, Beat(0, 0, "saving"), Beat(1, 0)));
    }

    [Fact]
    public void AProcessThatDoesNotRunIsNotSaving()
    {
        var detector = new HangDetector(new HangLimits { Minimum = TimeSpan.FromSeconds(20), Busy = TimeSpan.FromSeconds(1000) });
        Assert.False(Hangs(detector, 30, Beat(0, 0, "saving"), Beat(1, 0, alive: 11)));
        Assert.True(Hangs(detector, 32, Beat(0, 0, "saving"), Beat(1, 0, alive: 11)));
    }

    [Fact]
    public void NothingIsSaidBeforeTheFirstHeartbeat() => Assert.False(Hangs(new HangDetector(new HangLimits()), 1000));
}
