using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.Tests.Conformance;

public static partial class ConformanceSuite
{
    private static void RingOfMessages(IProcessGroup group, ElementType type, long count)
    {
        int next = (group.Rank + 1) % group.Size,
            previous = (group.Rank + group.Size - 1) % group.Size;
        using var sent = new NativeBuffer(type, count, i => Value(group.Rank, i));
        using var received = new NativeBuffer(type, count);
        var send = group.Send(sent.Buffer, next);
        group.Receive(received.Buffer, previous).Wait();
        send.Wait();
        Check(received, i => Value(previous, i), "ring");
    }

    // While an operation waits for a rank, it is told things by all others, one of which is long.
    private static void MessagesBesideOperations(IWorld world)
    {
        const int Small = 1,
            Large = 2,
            LargeBytes = 100_000;
        var patience = TimeSpan.FromSeconds(30);
        using var buffer = new NativeBuffer(ElementType.Float32, 1, _ => 1);
        var pending = world.Rank == 0 ? null : world.Group.AllReduce(buffer.Buffer);
        for (int peer = 0; peer < world.Size; peer++)
        {
            world.Messages.Send(peer, Small, [(byte)world.Rank, 0]);
            world.Messages.Send(peer, Large, [.. Enumerable.Repeat((byte)world.Rank, LargeBytes)]);
            world.Messages.Send(peer, Small, [(byte)world.Rank, 1]);
        }
        int[] seen = new int[world.Size];
        for (int i = 0; i < world.Size; i++)
        {
            var message = world.Messages.Receive(Large, patience)!;
            Check(message.Bytes.Length == LargeBytes && message.Bytes.All(value => value == message.From), "a long message");
            seen[message.From]++;
        }
        Check(seen.All(count => count == 1), "every rank's long message once");
        for (int i = 0; i < 2 * world.Size; i++)
        {
            var message = world.Messages.Receive(Small, patience)!;
            Check(message.Bytes is [var from, var number] && from == message.From && number == seen[from]++ - 1, "short ones in order");
        }
        Check(world.Messages.Receive(Small, TimeSpan.FromMilliseconds(20)) is null, "nothing is left");
        (pending ?? world.Group.AllReduce(buffer.Buffer)).Wait();
        Check(buffer, _ => world.Size, "the operation");
    }

    private static void ReceiveBeforeSend(IProcessGroup group)
    {
        if (group.Size == 1)
            return;
        using var buffer = new NativeBuffer(ElementType.Float32, 100_000, i => group.Rank == 0 ? 0 : i % 100);
        if (group.Rank == 0)
        {
            var receive = group.Receive(buffer.Buffer, 1, tag: 5);
            group.Barrier().Wait();
            receive.Wait();
            Check(buffer, i => i % 100, "early receive");
        }
        else
        {
            group.Barrier().Wait();
            if (group.Rank == 1)
                group.Send(buffer.Buffer, 0, tag: 5).Wait();
        }
    }

    private static void TagsAndOrder(IProcessGroup group)
    {
        if (group.Size == 1 || group.Rank > 1)
            return;
        const int messages = 20;
        int peer = 1 - group.Rank;
        var buffers = Enumerable
            .Range(0, messages)
            .Select(m => new NativeBuffer(ElementType.Int32, 1 + m * 3000, _ => group.Rank == 0 ? m : -1))
            .ToList();
        // Sent in order with tags 0 and 1 in turn; received tag 1 first.
        var works =
            group.Rank == 0
                ? buffers.Select((buffer, m) => group.Send(buffer.Buffer, peer, m % 2)).ToList()
                : Enumerable
                    .Range(0, messages)
                    .Select(m => m < messages / 2 ? 2 * m + 1 : 2 * (m - messages / 2))
                    .Select(m => group.Receive(buffers[m].Buffer, peer, m % 2))
                    .ToList();
        foreach (var work in works)
            work.Wait();
        for (int m = 0; m < messages; m++)
            Check(buffers[m], _ => m, $"message {m}");
        buffers.ForEach(buffer => buffer.Dispose());
    }

    private static void MessagesCrossCollectives(IProcessGroup group)
    {
        if (group.Size == 1)
            return;
        using var sums = new NativeBuffer(ElementType.Float32, 200_000, _ => 1);
        using var message = new NativeBuffer(ElementType.Float32, 50_000, _ => group.Rank);
        // Rank 0 needs rank 1's message before it joins the all-reduce that rank 1 has already posted.
        if (group.Rank == 0)
            group.Receive(message.Buffer, 1).Wait();
        var reduce = group.AllReduce(sums.Buffer);
        if (group.Rank == 1)
            group.Send(message.Buffer, 0).Wait();
        reduce.Wait();
        Check(sums, _ => group.Size, "all-reduce around a message");
        if (group.Rank == 0)
            Check(message, _ => 1, "message around an all-reduce");
    }

    private static void MessageToSelf(IProcessGroup group)
    {
        using var sent = new NativeBuffer(ElementType.Int64, 20_000, i => i + group.Rank);
        using var received = new NativeBuffer(ElementType.Int64, 20_000);
        var send = group.Send(sent.Buffer, group.Rank);
        group.Receive(received.Buffer, group.Rank).Wait();
        send.Wait();
        Check(received, i => i + group.Rank, "message to oneself");
    }

    private static void ManyInFlight(IProcessGroup group)
    {
        var random = new Random(7);
        var buffers = Enumerable
            .Range(0, 60)
            .Select(_ => new NativeBuffer(ElementType.Float32, random.Next(1, 40_000), i => Value(group.Rank, i)))
            .ToList();
        var works = buffers.Select(buffer => group.AllReduce(buffer.Buffer)).ToList();
        works.Reverse();
        works.ForEach(work => work.Wait());
        Check(works.TrueForAll(work => work.IsCompleted), "waited for and not complete");
        buffers.ForEach(buffer => Check(buffer, i => Reduced(group.Size, i, ReduceOp.Sum), "in flight"));
        buffers.ForEach(buffer => buffer.Dispose());
    }

    private static void SubGroups(IWorld world)
    {
        if (world.Size < 2)
            return;
        int[] even = [.. Enumerable.Range(0, world.Size).Where(rank => rank % 2 == 0)];
        int[] odd = [.. Enumerable.Range(0, world.Size).Where(rank => rank % 2 == 1).Reverse()];
        using var evenGroup = world.CreateGroup(even, "even");
        using var oddGroup = world.CreateGroup(odd, "odd");
        Check((evenGroup is null) != (oddGroup is null), "a rank is in one of two groups");
        var group = (evenGroup ?? oddGroup)!;
        int[] members = world.Rank % 2 == 0 ? even : odd;
        Check(group.WorldRanks.SequenceEqual(members) && members[group.Rank] == world.Rank, "places in the group are those given");
        using var buffer = new NativeBuffer(ElementType.Float32, 10_001, _ => world.Rank + 1);
        group.AllReduce(buffer.Buffer).Wait();
        Check(buffer, _ => members.Sum(rank => rank + 1), "sum in a sub-group");
        using var gathered = new NativeBuffer(ElementType.Int32, group.Size);
        using var mine = new NativeBuffer(ElementType.Int32, 1, _ => world.Rank);
        group.AllGather(mine.Buffer, gathered.Buffer).Wait();
        Check(gathered, i => members[i], "order of members");
    }

    private static void OverlappingGroups(IWorld world)
    {
        using var one = world.CreateGroup([.. Enumerable.Range(0, world.Size)], "one")!;
        using var two = world.CreateGroup([.. Enumerable.Range(0, world.Size).Reverse()], "two")!;
        using var first = new NativeBuffer(ElementType.Float32, 90_000, _ => 1);
        using var second = new NativeBuffer(ElementType.Float32, 90_000, _ => 2);
        // Operations of different groups do not wait for each other, whatever the order in which a rank posts them.
        var works =
            world.Rank % 2 == 0
                ? new[] { one.AllReduce(first.Buffer), two.AllReduce(second.Buffer) }
                : [two.AllReduce(second.Buffer), one.AllReduce(first.Buffer)];
        foreach (var work in works)
            work.Wait();
        Check(first, _ => world.Size, "first group");
        Check(second, _ => 2 * world.Size, "second group");
    }

    private static void GroupOfOne(IWorld world)
    {
        var groups = Enumerable.Range(0, world.Size).Select(rank => world.CreateGroup([rank], "alone")).ToList();
        using var group = groups.Single(candidate => candidate is not null)!;
        using var buffer = new NativeBuffer(ElementType.Float32, 1000, _ => world.Rank);
        using var copy = new NativeBuffer(ElementType.Float32, 1000);
        group.AllReduce(buffer.Buffer).Wait();
        group.ReduceScatter(buffer.Buffer, copy.Buffer).Wait();
        group.Barrier().Wait();
        Check(copy, _ => world.Rank, "alone");
    }

    private static void JournalRemembers(IWorld world)
    {
        using var buffer = new NativeBuffer(ElementType.Float32, 12_345, _ => 1);
        world.Group.AllReduce(buffer.Buffer).Wait();
        var last = world.Journal.Snapshot()[^1];
        Check(last.Signature == new OperationSignature(OperationKind.AllReduce, 12_345, ElementType.Float32), $"the journal says {last}");
        Check(last.State == OperationState.Completed && last.Group == world.Group.Name, $"the journal says {last}");
        Check(world.Journal.Pending().Count == 0, "nothing is pending");
    }
}
