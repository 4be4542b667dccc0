using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class RequeueBudgetTests
{
    /// <summary>Steps at which the job was queued again before, and the one that it has reached now.</summary>
    [Theory]
    [InlineData("", 0, true)]
    [InlineData("100 200 300 400 500", 600, true)]
    [InlineData("50 100", 0, true)]
    [InlineData("50 100 0", 0, true)]
    [InlineData("50 100 0 0", 100, false)]
    [InlineData("0 0 0", 0, false)]
    [InlineData("0 0 0", 1, true)]
    public void AJobThatComesFurtherIsAlwaysQueuedAgain(string before, long step, bool mayGoOn)
    {
        JobEvent[] events =
        [
            .. before
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(text => new JobEvent(DateTimeOffset.UnixEpoch, JobEventKind.Requeued, 1, long.Parse(text), "")),
        ];
        string? refusal = RequeueBudget.Refusal(events, step);
        Assert.Equal(mayGoOn, refusal is null);
        if (!mayGoOn)
            Assert.Matches(@"^it has been queued 3 times without coming beyond step \d+, so another allocation will not help$", refusal);
    }
}
