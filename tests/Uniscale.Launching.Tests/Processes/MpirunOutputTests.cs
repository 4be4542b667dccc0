using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Tests.Processes;

public sealed class MpirunOutputTests
{
    private const string Frame = "--------------------------------------------------------------------------";
    private const string DoubleFrame = "===================================================================================";

    private static List<string> Take(params string[] lines)
    {
        var output = new MpirunOutput();
        var shown = lines.SelectMany(output.Take).ToList();
        shown.AddRange(output.Rest());
        return shown;
    }

    [Fact]
    public void AHostThatCannotBeReachedIsNamed()
    {
        var output = new MpirunOutput();
        output.Take("ssh: connect to host n3 port 22: No route to host");
        Assert.Equal(("n3", "unreachable host"), (output.Unreachable!.Host, output.Unreachable.Kind));
        Assert.Equal("host n3 cannot be reached (ssh: connect to host n3 port 22: No route to host)", output.Unreachable.ToString());
    }

    [Fact]
    public void WhatSrunSaysOfItsTasksIsNotShownAndALostNodeIsNamed()
    {
        Assert.Equal(
            ["srun: error: Unable to create step for job 7: Invalid feature specification"],
            Take(
                "srun: error: n2: task 3: Killed",
                "srun: error: n[1-2]: tasks 0-2: Aborted",
                "srun: launch/slurm: _step_signal: Terminating StepId=7.0",
                "slurmstepd-n1: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-11-30T07:18:51 ***",
                "srun: Job 7 step creation temporarily disabled, retrying (Requested nodes are busy)",
                "srun: Step created for job 7",
                "srun: Job step aborted: Waiting up to 32 seconds for job step to finish.",
                "srun: got SIGCONT",
                "srun: forcing job termination",
                "srun: error: Unable to create step for job 7: Invalid feature specification"
            )
        );
        var output = new MpirunOutput();
        output.Take("srun: error: Node failure on n3");
        Assert.Equal(("n3", "lost host"), (output.Unreachable!.Host, output.Unreachable.Kind));
        output = new MpirunOutput();
        output.Take("srun: error: Task launch for StepId=7.1 failed on node n2: Communication connection failure");
        Assert.Equal("n2", output.Unreachable!.Host);
    }

    public static TheoryData<string, string[]> LastWords =>
        new()
        {
            {
                "Open MPI 4, signal",
                [Frame, "mpirun noticed that process rank 1 with PID 812 on node n7 exited on signal 9 (Killed).", Frame]
            },
            {
                "Open MPI 4, exit code",
                [
                    Frame,
                    "mpirun detected that one or more processes exited with non-zero status, thus causing",
                    "the job to be terminated. The first process to do so was:",
                    "",
                    "  Process name: [[25096,1],3]",
                    "  Exit code:    7",
                    Frame,
                ]
            },
            {
                "Open MPI 5 and 6, signal",
                [Frame, "prterun noticed that process rank 1 with PID 812 on node n7 exited on", "signal 9 (Killed).", Frame]
            },
            {
                "Open MPI 5 and 6, exit code",
                [
                    Frame,
                    "prterun detected that one or more processes exited with non-zero status,",
                    "thus causing the job to be terminated. The first process to do so was:",
                    "",
                    "   Process name: [prterun-n7-4711@1,1]",
                    "   Exit code:    7",
                    Frame,
                ]
            },
            {
                "MPICH",
                [
                    "",
                    DoubleFrame,
                    "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES",
                    "=   PID 812 RUNNING AT n7",
                    "=   EXIT CODE: 137",
                    "=   CLEANING UP REMAINING PROCESSES",
                    "=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES",
                    DoubleFrame,
                    "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)",
                    "This typically refers to a problem with your application.",
                    "Please see the FAQ page for debugging suggestions",
                ]
            },
        };

    [Theory]
    [MemberData(nameof(LastWords))]
    public void LastWordsThatTheLauncherSaysBetterAreHidden(string version, string[] words)
    {
        Assert.NotEmpty(version);
        Assert.Equal(["step 3", "after"], Take(["step 3", .. words, "after"]).Where(line => line.Length > 0));
    }

    [Fact]
    public void OtherWordsOfMpirunAreShown()
    {
        string[] lines =
        [
            Frame,
            "There are not enough slots available in the system to satisfy the 4",
            "slots that were requested",
            Frame,
            "after",
        ];
        Assert.Equal(lines, Take(lines));
    }

    [Fact]
    public void AFrameThatIsNotClosedIsShown() => Assert.Equal([Frame, "words"], Take(Frame, "words"));
}
