using Uniscale.Collectives.Mpi;
using Uniscale.Collectives.Tests.Conformance;

namespace Uniscale.Collectives.RankProgram;

internal static class Scenarios
{
    /// <summary>Every case of the conformance suite in one world.</summary>
    public static int Conformance(string folder)
    {
        using var world = MpiWorld.Join();
        using var report = new Report(folder, world.Rank);
        foreach (var (name, body) in ConformanceSuite.Cases)
            report.Check(name, () => body(world));
        return 0;
    }

    /// <summary>Rank 1 posts a barrier where the others sum.</summary>
    public static int Mismatch(string folder)
    {
        using var world = MpiWorld.Join();
        using var report = new Report(folder, world.Rank);
        using var buffer = new NativeBuffer(ElementType.Int64, 1);
        world.Group.Barrier().Wait();
        report.Check("operation", () => (world.Rank == 1 ? world.Group.Barrier() : world.Group.AllReduce(buffer.Buffer)).Wait());
        report.Check("later", () => world.Group.Barrier().Wait());
        return StayUntilAllHaveWritten(folder, world);
    }

    /// <summary>Rank 1 gives up while the others wait for it.</summary>
    public static int Abort(string folder)
    {
        using var world = MpiWorld.Join();
        using var report = new Report(folder, world.Rank);
        using var buffer = new NativeBuffer(ElementType.Float32, 100_000);
        world.Group.Barrier().Wait();
        if (world.Rank == 1)
        {
            Thread.Sleep(50);
            world.Abort("out of luck");
        }
        report.Check("waiting", () => world.Group.AllReduce(buffer.Buffer).Wait());
        report.Check("later", () => world.Group.Receive(buffer.Buffer, 0).Wait());
        report.Check("group", () => world.CreateGroup([0], "later"));
        return StayUntilAllHaveWritten(folder, world);
    }

    /// <summary>mpirun ends the others as soon as one process fails: the end of a rank that has written down what it saw.</summary>
    public static int StayUntilAllHaveWritten(string folder, IWorld world)
    {
        File.WriteAllText(Path.Combine(folder, $"done-{world.Rank}"), "");
        SpinWait.SpinUntil(() => Directory.GetFiles(folder, "done-*").Length == world.Size, TimeSpan.FromSeconds(10));
        return 1;
    }
}
