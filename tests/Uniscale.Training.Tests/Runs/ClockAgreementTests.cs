using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Tests.Runs;

public sealed class ClockAgreementTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);

    private static string?[] Check(params double[] seconds)
    {
        var worlds = InProcessWorld.Create(seconds.Length);
        var checks = worlds
            .Select(world =>
                Task.Factory.StartNew(
                    () =>
                        Record.Exception(() =>
                            ClockAgreement.Check(world, $"n{world.Rank / 2 + 1}", new Clock(Noon.AddSeconds(seconds[world.Rank])))
                        ),
                    TaskCreationOptions.LongRunning
                )
            )
            .ToArray();
        return [.. checks.Select(check => check.Result is { } thrown ? Assert.IsType<UserErrorException>(thrown).Message : null)];
    }

    [Fact]
    public void ClocksThatAreNearAreLeftAlone() => Assert.All(Check(0, 1, -9, -9, 9.5, 9.5), Assert.Null);

    [Fact]
    public void AHostWhoseClockIsFarFromTheOthersIsNamedOnAllRanks() =>
        Assert.All(
            Check(0, 0, 3600, 3600, 0.5, 0.5, -25, -25),
            // On a busy machine the ranks do not look at the same moment.
            sentence =>
                Assert.Matches(
                    @"^The clocks of the hosts are more than 20 s apart: n2 is 3,(599|60\d) s ahead, n4 is 2\d s behind\. Set them \(chronyd or ntpd keeps them right\) and start again\.$",
                    sentence
                )
        );

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
