using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class MpirunOutputTests
{
    private const string Frame = "--------------------------------------------------------------------------";

    private static (List<string> Shown, RankFailure? First) Take(params string[] lines)
    {
        var output = new MpirunOutput();
        var shown = lines.SelectMany(output.Take).ToList();
        shown.AddRange(output.Rest());
        return (shown, output.First);
    }

    [Fact]
    public void AHostThatCannotBeReachedIsNamed()
    {
        var output = new MpirunOutput();
        output.Take("ssh: connect to host n3 port 22: No route to host");
        Assert.Equal(("n3", "unreachable host"), (output.First!.Host, output.First.Kind));
        Assert.Equal("host n3 cannot be reached (ssh: connect to host n3 port 22: No route to host)", output.First.ToString());
    }

    [Fact]
    public void AKilledRankIsFoundAndTheEpilogueHidden()
    {
        var (shown, first) = Take(
            "step 3", Frame, "mpirun noticed that process rank 1 with PID 812 on node n7 exited on signal 9 (Killed).", Frame);
        Assert.Equal(["step 3"], shown);
        Assert.Equal((1, "n7", "signal 9", "it was ended by signal 9 (Killed)"), (first!.Rank, first.Host, first.Kind, first.Message));
    }

    [Fact]
    public void AnExitCodeIsFound()
    {
        var (shown, first) = Take(
            Frame, "mpirun detected that one or more processes exited with non-zero status, thus causing", "the job to be terminated. The first process to do so was:",
            "", "  Process name: [[25096,1],3]", "  Exit code:    7", Frame);
        Assert.Empty(shown);
        Assert.Equal((3, "exit 7"), (first!.Rank, first.Kind));
    }

    [Fact]
    public void OtherWordsOfMpirunAreShown()
    {
        string[] lines = [Frame, "There are not enough slots available in the system to satisfy the 4", "slots that were requested", Frame, "after"];
        var (shown, first) = Take(lines);
        Assert.Equal(lines, shown);
        Assert.Null(first);
    }

    [Fact]
    public void AFrameThatIsNotClosedIsShown() => Assert.Equal([Frame, "words"], Take(Frame, "words").Shown);
}
