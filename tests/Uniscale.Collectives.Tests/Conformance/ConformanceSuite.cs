namespace Uniscale.Collectives.Tests.Conformance;

/// <summary>
/// What every world owes its ranks. Each case is run by every rank of the world at once and throws on the rank that sees a wrong result.
/// Cases run one after another in the same world, so what one leaves behind would break the next.
/// </summary>
public static partial class ConformanceSuite
{
    private static readonly long[] Counts = [0, 1, 7, 1023, 9_001, 70_001];

    /// <summary>All cases by name.</summary>
    public static IReadOnlyDictionary<string, Action<IWorld>> Cases { get; } =
        AllCases().ToDictionary(entry => entry.Name, entry => entry.Body);

    /// <summary>
    /// Cases that hold where sums are made in the order of the ranks, 16-bit ones in single precision. NCCL sums round its rings and rounds
    /// at every step, so its groups owe only the rest.
    /// </summary>
    public static IReadOnlyList<string> OfRankOrder { get; } = ["sums follow the order of the ranks", "16-bit sums are rounded once"];

    private static IEnumerable<(string Name, Action<IWorld> Body)> AllCases()
    {
        foreach (var type in Enum.GetValues<ElementType>())
        {
            yield return ($"all-reduce {type}", world => EachCount(count => AllReduce(world.Group, type, count)));
            yield return ($"reduce-scatter {type}", world => EachCount(count => ReduceScatter(world.Group, type, count)));
            yield return ($"all-gather {type}", world => EachCount(count => AllGather(world.Group, type, count)));
            yield return ($"broadcast {type}", world => EachCount(count => Broadcast(world.Group, type, count)));
            yield return ($"all-to-all {type}", world => EachCount(count => AllToAll(world.Group, type, count)));
            yield return ($"messages {type}", world => EachCount(count => RingOfMessages(world.Group, type, count)));
        }
        yield return ("sums follow the order of the ranks", world => SumsFollowRankOrder(world.Group));
        yield return ("16-bit sums are rounded once", world => NarrowSumsAreRoundedOnce(world.Group));
        yield return ("all members end with the same bits, again and again", world => SumsAreTheSameForAll(world.Group));
        yield return ("in place and out of place agree", world => InPlaceAgrees(world.Group));
        yield return ("many operations in flight", world => ManyInFlight(world.Group));
        yield return ("a receive before its send", world => ReceiveBeforeSend(world.Group));
        yield return ("tags keep messages apart, order within a tag", world => TagsAndOrder(world.Group));
        yield return ("messages cross pending collectives", world => MessagesCrossCollectives(world.Group));
        yield return ("a message to oneself", world => MessageToSelf(world.Group));
        yield return ("messages beside the operations", MessagesBesideOperations);
        yield return ("barrier", world => BarrierHolds(world.Group));
        yield return ("sub-groups", SubGroups);
        yield return ("overlapping groups in different orders", OverlappingGroups);
        yield return ("a group of one", GroupOfOne);
        yield return ("wrong sizes are refused", world => WrongSizesAreRefused(world.Group));
        yield return ("the journal remembers", JournalRemembers);
    }

    private static void EachCount(Action<long> body)
    {
        foreach (long count in Counts)
            body(count);
    }

    /// <summary>Values small enough to be exact in every type, with their sums over four ranks.</summary>
    private static double Value(int rank, long index) => (rank * 3 + index) % 13;

    private static void Check(NativeBuffer actual, Func<long, double> expected, string what)
    {
        for (long i = 0; i < actual.Buffer.Count; i++)
            if (actual[i] != expected(i))
                throw new InvalidOperationException(
                    $"{what}, {actual.Buffer.Count} {actual.Buffer.Type}: element {i} is {actual[i]}, not {expected(i)}"
                );
    }

    private static void Check(bool condition, string what)
    {
        if (!condition)
            throw new InvalidOperationException(what);
    }
}
