using Uniscale.Telemetry.Accounting;
using Uniscale.Telemetry.Sinks;

namespace Uniscale.Telemetry.Tests.Accounting;

public sealed class TimeKeeperTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-time-").FullName;

    private string Metrics => Path.Combine(_folder, "metrics.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Steps_that_are_taken_back_or_done_again_change_their_use()
    {
        var keeper = TimeKeeper.Open(Metrics, 0, DateTimeOffset.UtcNow);
        keeper.Add(TimeUse.Starting, 5);
        for (int step = 1; step <= 6; step++)
            keeper.AddStep(step, seconds: 10, waited: 1, counts: step != 4);
        Assert.Equal((50, 10, 5), (keeper.Account.Effective, keeper.Account.Discarded, keeper.Account.Waiting));
        keeper.TakeBack(3);
        Assert.Equal((30, 30, 3), (keeper.Account.Effective, keeper.Account.Discarded, keeper.Account.Waiting));
        keeper.Redo(2);
        Assert.Equal((20, 0, 40), (keeper.Account.Effective, keeper.Account.Discarded, keeper.Account.Redone));
        Assert.Equal(65, keeper.Account.Total);
    }

    [Fact]
    public void A_run_that_died_goes_on_with_its_account()
    {
        var first = TimeKeeper.Open(Metrics, 0, DateTimeOffset.UtcNow);
        using (var sink = new MetricsSink(Metrics, 0))
        {
            for (int step = 1; step <= 5; step++)
            {
                first.AddStep(step, seconds: 1, waited: 0.5, counts: true);
                sink.Step(
                    Reports.Step(step) with
                    {
                        Seconds = 1,
                        Account = first.Account,
                        Parts = new Dictionary<string, double> { ["wait"] = 0.5 },
                    }
                );
            }
        }
        var second = TimeKeeper.Open(Metrics, resumedStep: 3, DateTimeOffset.UtcNow.AddSeconds(7));
        Assert.False(second.IsFirst);
        Assert.Equal((3, 2, 1.5), (second.Account.Effective, second.Account.Redone, second.Account.Waiting));
        Assert.InRange(second.Account.Restarting, 6.9, 7.1);
        Assert.Equal(first.Account.Since, second.Account.Since);
    }

    [Fact]
    public void A_run_that_was_stopped_stood_still_and_lost_nothing()
    {
        var first = TimeKeeper.Open(Metrics, 0, DateTimeOffset.UtcNow);
        first.Add(TimeUse.Effective, 10);
        using (var sink = new MetricsSink(Metrics, 0))
            sink.End(new RunEnd(5, false, "stopped", TimeSpan.FromSeconds(10)) { Account = first.Account });
        var second = TimeKeeper.Open(Metrics, resumedStep: 5, DateTimeOffset.UtcNow.AddDays(1));
        Assert.InRange(second.Account.Standing, 86399, 86401);
        Assert.Equal(1, second.Account.EffectiveShare, 1e-9);
    }

    [Fact]
    public void Losses_are_told_the_greatest_first() =>
        Assert.Equal(
            "saving 12.5 s, validation 3 s",
            new TimeAccount
            {
                Effective = 90,
                Saving = 12.5,
                Validation = 3,
                Other = 0.001,
            }.Losses()
        );
}
