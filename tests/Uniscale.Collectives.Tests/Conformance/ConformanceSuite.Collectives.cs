namespace Uniscale.Collectives.Tests.Conformance;

public static partial class ConformanceSuite
{
    private static void AllReduce(IProcessGroup group, ElementType type, long count)
    {
        foreach (var op in Enum.GetValues<ReduceOp>())
        {
            using var buffer = new NativeBuffer(type, count, i => Value(group.Rank, i));
            group.AllReduce(buffer.Buffer, op).Wait();
            Check(buffer, i => Reduced(group.Size, i, op), $"all-reduce {op}");
        }
    }

    private static void ReduceScatter(IProcessGroup group, ElementType type, long count)
    {
        foreach (var op in Enum.GetValues<ReduceOp>())
        {
            using var input = new NativeBuffer(type, count * group.Size, i => Value(group.Rank, i));
            using var output = new NativeBuffer(type, count);
            group.ReduceScatter(input.Buffer, output.Buffer, op).Wait();
            Check(output, i => Reduced(group.Size, group.Rank * count + i, op), $"reduce-scatter {op}");
        }
    }

    private static void AllGather(IProcessGroup group, ElementType type, long count)
    {
        using var input = new NativeBuffer(type, count, i => Value(group.Rank, i));
        using var output = new NativeBuffer(type, count * group.Size);
        group.AllGather(input.Buffer, output.Buffer).Wait();
        Check(output, i => Value((int)(i / count), i % count), "all-gather");
    }

    private static void Broadcast(IProcessGroup group, ElementType type, long count)
    {
        for (int root = 0; root < group.Size; root++)
        {
            using var buffer = new NativeBuffer(type, count, i => Value(group.Rank, i));
            group.Broadcast(buffer.Buffer, root).Wait();
            Check(buffer, i => Value(root, i), $"broadcast from {root}");
        }
    }

    private static void AllToAll(IProcessGroup group, ElementType type, long count)
    {
        using var input = new NativeBuffer(type, count * group.Size, i => Value(group.Rank, i));
        using var output = new NativeBuffer(type, count * group.Size);
        group.AllToAll(input.Buffer, output.Buffer).Wait();
        Check(output, i => Value((int)(i / count), group.Rank * count + i % count), "all-to-all");
    }

    private static double Reduced(int size, long index, ReduceOp op)
    {
        var values = Enumerable.Range(0, size).Select(rank => Value(rank, index));
        return op switch
        {
            ReduceOp.Sum => values.Sum(),
            ReduceOp.Max => values.Max(),
            _ => values.Min(),
        };
    }

    private static void SumsFollowRankOrder(IProcessGroup group)
    {
        const long count = 40_003;
        static float Term(int rank, long i) => MathF.Sin(rank * 1.7f + i) * MathF.Pow(10, (rank + i) % 7);
        using var buffer = new NativeBuffer(ElementType.Float32, count, i => Term(group.Rank, i));
        group.AllReduce(buffer.Buffer).Wait();
        Check(
            buffer,
            i =>
            {
                float sum = Term(0, i);
                for (int rank = 1; rank < group.Size; rank++)
                    sum += Term(rank, i);
                return sum;
            },
            "sum in the order of the ranks"
        );
    }

    private static void NarrowSumsAreRoundedOnce(IProcessGroup group)
    {
        // 256 + 1 + 1 + ... : every single 1 is lost when bfloat16 is rounded after each addition, 2048 + 1 in half precision.
        foreach (var (type, large) in new[] { (ElementType.BFloat16, 256.0), (ElementType.Float16, 2048.0) })
        {
            using var buffer = new NativeBuffer(type, 5_001, _ => group.Rank == 0 ? large : 1);
            group.AllReduce(buffer.Buffer).Wait();
            // Representable numbers above `large` are 2 apart; ties go to even multiples.
            double sum = large + group.Size - 1,
                below = Math.Floor(sum / 2) * 2;
            double expected =
                sum == below ? sum
                : below % 4 == 0 ? below
                : below + 2;
            Check(buffer, _ => expected, "sum rounded once");
        }
    }

    private static void SumsAreTheSameForAll(IProcessGroup group)
    {
        const long count = 4_001;
        foreach (var type in (ElementType[])[ElementType.Float32, ElementType.BFloat16])
        {
            using var first = new NativeBuffer(type, count, i => Math.Sin(group.Rank * 1.7 + i));
            using var second = new NativeBuffer(type, count, i => Math.Sin(group.Rank * 1.7 + i));
            using var all = new NativeBuffer(type, count * group.Size);
            group.AllReduce(first.Buffer).Wait();
            group.AllReduce(second.Buffer).Wait();
            group.AllGather(first.Buffer, all.Buffer).Wait();
            Check(second, i => first[i], "the same sum again");
            Check(all, i => first[i % count], "the other members' sums");
            // Each step of a sum of four numbers below one may be off by half of the last place.
            double bound = group.Size * 2.0 * (type == ElementType.Float32 ? 6e-8 : 4e-3);
            for (long i = 0; i < count; i++)
            {
                double sum = Enumerable.Range(0, group.Size).Sum(rank => Math.Sin(rank * 1.7 + i));
                Check(Math.Abs(first[i] - sum) <= bound * group.Size, $"{type}: element {i} is {first[i]}, not about {sum}");
            }
        }
    }

    private static void InPlaceAgrees(IProcessGroup group)
    {
        const long count = 70_001;
        using var sums = new NativeBuffer(ElementType.Float32, count * group.Size, i => Value(group.Rank, i));
        var part = sums.Buffer.Slice(group.Rank * count, count);
        group.ReduceScatter(sums.Buffer, part).Wait();
        group.AllGather(part, sums.Buffer).Wait();
        Check(sums, i => Reduced(group.Size, i, ReduceOp.Sum), "reduce-scatter and all-gather in place");
    }

    private static void BarrierHolds(IProcessGroup group)
    {
        using var late = new NativeBuffer(ElementType.Int32, 1, _ => 1);
        if (group.Rank == 0)
            Thread.Sleep(30);
        group.Barrier().Wait();
        group.AllReduce(late.Buffer).Wait();
        group.Barrier().Wait();
        Check(late, _ => group.Size, "after the barrier");
    }

    private static void WrongSizesAreRefused(IProcessGroup group)
    {
        using var buffer = new NativeBuffer(ElementType.Float32, 3 * group.Size + 1);
        Refused(() => group.ReduceScatter(buffer.Buffer, buffer.Buffer.Slice(0, 3)));
        Refused(() => group.AllGather(buffer.Buffer.Slice(0, 2), buffer.Buffer));
        Refused(() => group.AllToAll(buffer.Buffer, buffer.Buffer));
        Refused(() => group.Broadcast(buffer.Buffer, group.Size));
        Refused(() => group.Send(buffer.Buffer, -1));
        if (group.Size == 1)
            return;
        // A part that lies in its whole, but not in its place.
        Refused(() => group.AllGather(buffer.Buffer.Slice(3 * ((group.Rank + 1) % group.Size), 3), buffer.Buffer.Slice(0, 3 * group.Size)));

        static void Refused(Func<IWork> post)
        {
            try
            {
                post();
            }
            catch (ArgumentException)
            {
                return;
            }
            throw new InvalidOperationException("a wrong size was accepted");
        }
    }
}
