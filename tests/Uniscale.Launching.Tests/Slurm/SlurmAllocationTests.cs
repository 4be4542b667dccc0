using Uniscale.Configuration;
using Uniscale.Launching.Slurm;

namespace Uniscale.Launching.Tests.Slurm;

public sealed class SlurmAllocationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-srun-");

    public SlurmAllocationTests() => File.WriteAllText(Path.Combine(_folder.FullName, "srun"), "");

    public void Dispose() => _folder.Delete(recursive: true);

    private SlurmAllocation? Of(params string[] variables) =>
        SlurmAllocation.Of(
            variables
                .Append($"PATH=/nowhere:{_folder.FullName}")
                .Select(text => text.Split('='))
                .ToDictionary(pair => pair[0], pair => pair[1])
        );

    [Fact]
    public void SlotsAreTheTasksOfTheNodes()
    {
        var found = Of("SLURM_JOB_ID=12", "SLURM_JOB_NODELIST=n[1-3]", "SLURM_TASKS_PER_NODE=2(x2),1", "SLURM_CPUS_PER_TASK=8")!;
        Assert.Equal(("12", 5, 8), (found.Job, found.Slots, found.CoresOfTask));
        Assert.Equal(["n1 slots=2", "n2 slots=2", "n3 slots=1"], found.Hosts.Lines.Select(line => line.Text));
        Assert.Equal(["n1", "n1", "n2", "n2"], SrunCommand.HostsOfTasks(found.Hosts, 4));
        found.CheckRoom(5);
        Assert.Equal(
            "The layout has 8 ranks, but job 12 of Slurm has 5 tasks on 3 nodes: ask for more (--nodes, --ntasks-per-node), or give -n and a layout that fits.",
            Assert.Throws<UserErrorException>(() => found.CheckRoom(8)).Message
        );
    }

    [Fact]
    public void WithoutAnAllocationOrItsSrunThereIsNone()
    {
        Assert.Null(Of());
        Assert.Null(Of("SLURM_JOB_ID=12"));
        Assert.Null(
            SlurmAllocation.Of(
                new Dictionary<string, string>
                {
                    ["SLURM_JOB_ID"] = "12",
                    ["SLURM_NODELIST"] = "n1",
                    ["PATH"] = "/nowhere",
                }
            )
        );
        Assert.Equal(1, Of("SLURM_JOB_ID=12", "SLURM_NODELIST=n1")!.Slots);
        // The names of older versions.
        Assert.Equal("12", Of("SLURM_JOBID=12", "SLURM_NODELIST=n1")!.Job);
    }

    [Fact]
    public void VariablesOfTwoJobsAreRefused() =>
        Assert.Contains(
            "3 nodes (n[1-3]), but of the tasks of 2 (SLURM_TASKS_PER_NODE=2(x2))",
            Assert.Throws<UserErrorException>(() => Of("SLURM_JOB_ID=12", "SLURM_NODELIST=n[1-3]", "SLURM_TASKS_PER_NODE=2(x2)")).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("idle", false)]
    [InlineData("allocated", false)]
    [InlineData("draining", false)]
    [InlineData("allocated*", true)]
    [InlineData("down", true)]
    [InlineData("DOWN*", true)]
    [InlineData("failing", true)]
    public void ANodeThatDoesNotAnswerIsLost(string state, bool isLost) => Assert.Equal(isLost, SlurmJob.IsLost(state));
}
