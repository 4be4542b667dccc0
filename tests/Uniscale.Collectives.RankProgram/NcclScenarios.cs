using Uniscale.Collectives.Mpi;
using Uniscale.Collectives.Nccl;
using Uniscale.Collectives.Tests.Conformance;

namespace Uniscale.Collectives.RankProgram;

/// <summary>
/// Ranks on devices that are processes: everything that goes over MPI. The emulator's devices belong to one process, so it takes the other
/// ranks as
/// there (<c>alone=1</c>) and moves nothing.
/// </summary>
internal static class NcclScenarios
{
    private const int Rounds = 10;

    /// <summary>Operations of several groups and messages, posted by each rank in an order of its own; then a rank gives up.</summary>
    public static int Run(string folder)
    {
        using var world = NcclWorld.Join(MpiWorld.Join(), new NcclDevice(0) { ComputesOnHost = true });
        using var report = new Report(folder, world.Rank);
        int[] all = [.. Enumerable.Range(0, world.Size)];
        IProcessGroup[] groups = [world.Group, .. (
                (int[][])
                    [
                        [.. all.Reverse()],
                        [0, 1],
                        [2, 3],
                    ]
            ).Select((ranks, i) => world.CreateGroup(ranks, $"group{i}")).OfType<IProcessGroup>()];
        report.Check("operations end", () => PostInOrdersOfTheirOwn(world, groups));
        report.Check("nothing is pending", () => Expect(world.Journal.Pending().Count == 0));
        report.Check("host memory goes over MPI", () => SumsOnTheHost(world));
        using var buffer = new NativeBuffer(ElementType.Float32, 100);
        if (world.Rank == 1)
        {
            Thread.Sleep(50);
            world.Abort("out of luck");
        }
        report.Check("waiting", () => world.Group.AllReduce(buffer.Buffer).Wait());
        report.Check("group", () => world.CreateGroup(all, "later"));
        return Scenarios.StayUntilAllHaveWritten(folder, world);
    }

    /// <summary>Rank 1 gives up while rank 0 still waits for it to join the clique.</summary>
    public static int Missing(string folder)
    {
        IWorld control = MpiWorld.Join();
        using var report = new Report(folder, control.Rank);
        if (control.Rank == 0)
            report.Check("join", () => NcclWorld.Join(control, new NcclDevice(0)));
        else
        {
            using var id = new NativeBuffer(ElementType.UInt8, 128);
            report.Check(
                "id",
                () =>
                {
                    control.HostGroup.Broadcast(id.Buffer, root: 0).Wait();
                    Expect(id[0] != 0);
                }
            );
            control.Abort("out of luck");
        }
        return Scenarios.StayUntilAllHaveWritten(folder, control);
    }

    private static void PostInOrdersOfTheirOwn(IWorld world, IProcessGroup[] groups)
    {
        var random = new Random(world.Rank);
        var buffers = new List<NativeBuffer>();
        CommBuffer Buffer()
        {
            buffers.Add(new NativeBuffer(ElementType.Float32, 64));
            return buffers[^1].Buffer;
        }
        for (int round = 0; round < Rounds; round++)
        {
            var posts = groups
                .SelectMany(group =>
                    (Func<IWork>[])
                        [
                            () => group.AllReduce(Buffer()),
                            () => group.Send(Buffer(), (group.Rank + 1) % group.Size, round),
                            () => group.Receive(Buffer(), (group.Rank + group.Size - 1) % group.Size, round),
                        ]
                )
                .ToArray();
            random.Shuffle(posts);
            var works = posts.Select(post => post()).ToArray();
            random.Shuffle(works);
            foreach (var work in works)
                work.Wait();
        }
        buffers.ForEach(buffer => buffer.Dispose());
    }

    private static void SumsOnTheHost(IWorld world)
    {
        using var buffer = new NativeBuffer(ElementType.Int32, 1, _ => world.Rank);
        world.HostGroup.AllReduce(buffer.Buffer).Wait();
        Expect(buffer[0] == world.Size * (world.Size - 1) / 2);
    }

    private static void Expect(bool condition)
    {
        if (!condition)
            throw new InvalidOperationException("it is not so");
    }
}
