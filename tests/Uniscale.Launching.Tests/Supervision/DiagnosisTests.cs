using Uniscale.Collectives;
using Uniscale.Collectives.Journal;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Supervision;

public sealed class DiagnosisTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static JournalEntry Entry(
        long sequence,
        OperationState state,
        long count = 1000,
        double ago = 40,
        OperationKind kind = OperationKind.AllReduce
    ) =>
        new(
            sequence,
            "dp[0,1,2]",
            sequence,
            new OperationSignature(kind, count, ElementType.Float32),
            state,
            Now.AddSeconds(-ago),
            Now.AddSeconds(-ago)
        );

    private static RankView View(int rank, double aliveAgo, params JournalEntry[] journal) =>
        new(new Heartbeat(rank, $"n{rank}", 100 + rank, 7, "", Now.AddSeconds(-aliveAgo), Now.AddSeconds(-60)), journal);

    [Fact]
    public void TheRankThatDidNotComeIsNamedWithWhatItDidLast()
    {
        var diagnosis = Diagnosis.Of(
            [
                View(0, 0, Entry(16, OperationState.Completed), Entry(17, OperationState.Posted)),
                View(1, 0, Entry(16, OperationState.Completed)),
                View(2, 0, Entry(16, OperationState.Completed), Entry(17, OperationState.Posted, ago: 41)),
            ],
            Now
        );
        Assert.Equal([1], diagnosis.Suspects);
        Assert.Equal(
            "rank 1 on n1 did not come to operation 17 of group dp[0,1,2]: all-reduce (Sum) of 1,000 Float32 (3.9 KiB) [posted], in which 2 ranks "
                + "have waited for 41 s; the last it did is operation 16 of group dp[0,1,2]: all-reduce (Sum) of 1,000 Float32 (3.9 KiB) [completed]",
            diagnosis.Sentence
        );
        Assert.Contains("waits 40 s in operation 17", diagnosis.Table[0], StringComparison.Ordinal);
    }

    [Fact]
    public void AProcessThatDoesNotRunIsNamedFirst()
    {
        var diagnosis = Diagnosis.Of(
            [View(0, 0), View(1, 0, Entry(3, OperationState.Started)), View(2, 30, Entry(3, OperationState.Started))],
            Now
        );
        Assert.Equal([2], diagnosis.Suspects);
        Assert.StartsWith("rank 2 on n2 (process 102) has not run for 30 s", diagnosis.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void RanksThatDisagreeAreNamedWithBothOperations()
    {
        var diagnosis = Diagnosis.Of(
            [
                View(0, 0, Entry(5, OperationState.Started)),
                View(1, 0, Entry(5, OperationState.Started)),
                View(2, 0, Entry(5, OperationState.Started, kind: OperationKind.AllGather)),
            ],
            Now
        );
        Assert.Equal([2], diagnosis.Suspects);
        Assert.Contains(
            "ranks disagree at operation 5 of group dp[0,1,2]: rank 0 on n0 posted all-reduce",
            diagnosis.Sentence,
            StringComparison.Ordinal
        );
        Assert.Contains("rank 2 on n2 posted all-gather", diagnosis.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void ARankThatCameThroughAnotherOperationDisagreesToo()
    {
        var diagnosis = Diagnosis.Of(
            [
                View(0, 0, Entry(5, OperationState.Completed, kind: OperationKind.Barrier), Entry(6, OperationState.Started)),
                View(1, 0, Entry(5, OperationState.Started)),
            ],
            Now
        );
        Assert.Contains("ranks disagree at operation 5 of group dp[0,1,2]", diagnosis.Sentence, StringComparison.Ordinal);
        Assert.Contains("rank 0 on n0 posted barrier", diagnosis.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void ARankInAnOperationThatTheOthersHaveLeftIsNamed()
    {
        var diagnosis = Diagnosis.Of(
            [
                View(0, 0, Entry(5, OperationState.Completed), Entry(6, OperationState.Started)),
                View(1, 0, Entry(5, OperationState.Completed), Entry(6, OperationState.Started)),
                View(2, 0, Entry(5, OperationState.Started)),
            ],
            Now
        );
        Assert.Equal([2], diagnosis.Suspects);
        Assert.StartsWith("rank 2 on n2 still waits in operation 5 of group dp[0,1,2]", diagnosis.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void RanksThatWaitForEachOtherAreAllNamed()
    {
        RankView[] ranks = [View(0, 0, Entry(5, OperationState.Started)), View(1, 0, Entry(5, OperationState.Started))];
        var diagnosis = Diagnosis.Of(ranks, Now);
        Assert.Equal([0, 1], diagnosis.Suspects);
        Assert.StartsWith("all ranks wait for each other", diagnosis.Sentence, StringComparison.Ordinal);
        // No host is to blame for what lies between them; one whose ranks are all there are is.
        Assert.Equal("", diagnosis.HostOf([.. ranks.Select(rank => rank.Beat)]));
        Assert.Equal("n0", diagnosis.HostOf([.. ranks.Select(rank => rank.Beat with { Host = "n0" })]));
    }

    [Fact]
    public void TheHostOfTheRankThatIsWaitedForIsToBlame()
    {
        RankView[] ranks = [View(0, 0, Entry(5, OperationState.Started)), View(1, 0)];
        Assert.Equal("n1", Diagnosis.Of(ranks, Now).HostOf([.. ranks.Select(rank => rank.Beat)]));
    }
}
