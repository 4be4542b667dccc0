using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Mpi;
using Uniscale.Collectives.Nccl.Ordering;

namespace Uniscale.Collectives.RankProgram;

/// <summary>What ranks on devices agree on over MPI: operations of several groups, entered by each rank in an order of its own.</summary>
internal static class OrderScenario
{
    private const int Rounds = 16;

    /// <summary>Reports the order in which this rank would launch.</summary>
    public static int Run(string folder)
    {
        using var world = MpiWorld.Join();
        using var report = new Report(folder, world.Rank);
        int[] all = [.. Enumerable.Range(0, world.Size)];
        IProcessGroup[] groups =
        [
            .. ((int[][])[all, [.. all.Reverse()], [0, 1], [1, 2, 3], [2, 3]])
                .Select((ranks, i) => world.CreateGroup(ranks, $"group{i}"))
                .OfType<IProcessGroup>(),
        ];
        report.Check("order", () => throw new InvalidOperationException(string.Join(' ', OrderOf(world, groups))));
        world.Group.Barrier().Wait();
        return 0;
    }

    private static List<string> OrderOf(IWorld world, IProcessGroup[] groups)
    {
        var random = new Random(world.Rank);
        var pending = new List<Queue<Part>>();
        foreach (var group in groups)
        {
            pending.Add(
                new(
                    Enumerable
                        .Range(0, Rounds)
                        .Select(i => new Part(group, new(OperationKind.AllReduce, i, ElementType.Float32), i, $"{group.Name}:{i}"))
                )
            );
            for (int peer = 0; peer < group.Size; peer++)
            {
                pending.Add(Messages(group, OperationKind.Send, group.Rank, peer));
                pending.Add(Messages(group, OperationKind.Receive, peer, group.Rank));
            }
        }
        var (order, taken, launched) = (new AgreedOrder<Part>(world.Rank), new List<Part>(), new List<string>());
        while (pending.Count > 0 || order.Waiting.Count > 0)
        {
            if (pending.Count > 0)
            {
                var next = pending[random.Next(pending.Count)];
                order.Enter(next.Dequeue());
                if (next.Count == 0)
                    pending.Remove(next);
            }
            Thread.Yield();
            while (order.Advance() | order.TryTake(taken))
            {
                launched.AddRange(taken.Select(part => part.Name).Distinct());
                taken.Clear();
            }
        }
        return launched;
    }

    private static Queue<Part> Messages(IProcessGroup group, OperationKind kind, int from, int to)
    {
        int peer = kind == OperationKind.Send ? to : from;
        return new(
            Enumerable
                .Range(0, Rounds / 4)
                .Select(i => new Part(group, new(kind, 8, ElementType.Int32, Peer: peer, Tag: 1), i, $"{group.Name}:{from}>{to}:{i}"))
        );
    }

    private sealed record Part(IProcessGroup Control, OperationSignature Signature, long Sequence, string Name) : IOrderedOperation
    {
        public string GroupName => Control.Name;
    }
}
