using Uniscale.Collectives.Tests.Conformance;
using Uniscale.Mpi;

namespace Uniscale.Collectives.RankProgram;

/// <summary>The operations of Uniscale.Mpi itself: MPI's own algorithms on raw memory.</summary>
internal static class MpiScenarios
{
    private const int Count = 5_003;

    public static int Run(string folder)
    {
        using var mpi = MpiRuntime.Initialize();
        var world = mpi.World;
        using var report = new Report(folder, world.Rank);
        var description = MpiRuntime.Describe();
        report.Say("flavour", $"{description.Flavour} by {description.Binding}");
        foreach (long limit in (long[])[1 << 30, 1_000])
        {
            // With the low limit, 5,003 elements are to MPI what five billion are with the real one.
            MpiRuntime.MaxCount = limit;
            string calls = limit > Count ? "in one call" : "in pieces";
            foreach (var type in Enum.GetValues<MpiElement>())
            {
                report.Check($"all-reduce {type} {calls}", () => AllReduce(world, type));
                report.Check($"reduce-scatter {type} {calls}", () => ReduceScatter(world, type));
                report.Check($"all-gather {type} {calls}", () => AllGather(world, type));
                report.Check($"all-to-all {type} {calls}", () => AllToAll(world, type));
                report.Check($"broadcast {type} {calls}", () => Broadcast(world, type));
                report.Check($"messages {type} {calls}", () => Messages(world, type));
            }
        }
        report.Check("split", () => Split(world));
        report.Check("an error names rank, operation and size", () => ErrorsName(world));
        report.Check("a message of another length is an error", () => OtherLength(world));
        report.Check("a null reference is still an exception", NullReference);
        report.Check("a second start is refused", () => Throws<MpiException>(() => MpiRuntime.Initialize(), "already running"));
        return 0;
    }

    private static double Value(int rank, long i) => (rank + 1 + i) % 11;

    private static NativeBuffer Buffer(MpiElement type, long count, Func<long, double>? value = null) =>
        new((ElementType)(int)type, count, value);

    private static void Expect(NativeBuffer buffer, Func<long, double> expected)
    {
        for (long i = 0; i < buffer.Buffer.Count; i++)
            if (buffer[i] != expected(i))
                throw new InvalidOperationException($"element {i} is {buffer[i]}, not {expected(i)}");
    }

    private static double Reduced(MpiCommunicator world, long i, MpiReduction reduction)
    {
        var values = Enumerable.Range(0, world.Size).Select(rank => Value(rank, i));
        return reduction switch
        {
            MpiReduction.Sum => values.Sum(),
            MpiReduction.Max => values.Max(),
            _ => values.Min(),
        };
    }

    private static void AllReduce(MpiCommunicator world, MpiElement type)
    {
        foreach (var reduction in Enum.GetValues<MpiReduction>())
        {
            using var blocking = Buffer(type, Count, i => Value(world.Rank, i));
            world.AllReduce(blocking.Buffer.Address, Count, type, reduction);
            Expect(blocking, i => Reduced(world, i, reduction));
            using var started = Buffer(type, Count, i => Value(world.Rank, i));
            var request = world.StartAllReduce(started.Buffer.Address, Count, type, reduction);
            SpinWait.SpinUntil(request.Test);
            Expect(started, i => Reduced(world, i, reduction));
        }
    }

    private static void ReduceScatter(MpiCommunicator world, MpiElement type)
    {
        using var input = Buffer(type, Count * world.Size, i => Value(world.Rank, i));
        using var output = Buffer(type, Count);
        world.ReduceScatter(input.Buffer.Address, output.Buffer.Address, Count, type);
        Expect(output, i => Reduced(world, world.Rank * Count + i, MpiReduction.Sum));
    }

    private static void AllGather(MpiCommunicator world, MpiElement type)
    {
        using var input = Buffer(type, Count, i => Value(world.Rank, i));
        using var output = Buffer(type, Count * world.Size);
        world.AllGather(input.Buffer.Address, output.Buffer.Address, Count, type);
        Expect(output, i => Value((int)(i / Count), i % Count));
        var part = output.Buffer.Slice(world.Rank * Count, Count);
        world.AllGather(part.Address, output.Buffer.Address, Count, type);
        Expect(output, i => Value((int)(i / Count), i % Count));
    }

    private static void AllToAll(MpiCommunicator world, MpiElement type)
    {
        using var input = Buffer(type, Count * world.Size, i => Value(world.Rank, i));
        using var output = Buffer(type, Count * world.Size);
        world.AllToAll(input.Buffer.Address, output.Buffer.Address, Count, type);
        Expect(output, i => Value((int)(i / Count), world.Rank * Count + i % Count));
    }

    private static void Broadcast(MpiCommunicator world, MpiElement type)
    {
        int root = world.Size - 1;
        using var buffer = Buffer(type, Count, i => Value(world.Rank, i));
        world.Broadcast(buffer.Buffer.Address, Count, type, root);
        Expect(buffer, i => Value(root, i));
    }

    private static void Messages(MpiCommunicator world, MpiElement type)
    {
        int next = (world.Rank + 1) % world.Size,
            previous = (world.Rank + world.Size - 1) % world.Size;
        using var sent = Buffer(type, Count, i => Value(world.Rank, i));
        using var received = Buffer(type, Count);
        var send = world.StartSend(sent.Buffer.Address, Count, type, next, tag: 3);
        world.Receive(received.Buffer.Address, Count, type, previous, tag: 3);
        send.Wait();
        Expect(received, i => Value(previous, i));
    }

    private static void Split(MpiCommunicator world)
    {
        using var half = world.Split(world.Rank % 2, -world.Rank, "half")!;
        using var sum = Buffer(MpiElement.Int32, 1, _ => world.Rank);
        half.AllReduce(sum.Buffer.Address, 1, MpiElement.Int32);
        Expect(sum, _ => Enumerable.Range(0, world.Size).Where(rank => rank % 2 == world.Rank % 2).Sum());
        // Keys fall, so the highest rank comes first.
        int expected = (world.Size - 1 - world.Rank) / 2;
        if (half.Rank != expected)
            throw new InvalidOperationException($"place {half.Rank}, not {expected}");
        if (world.Split(world.Rank == 0 ? 0 : null, 0, "first") is null == (world.Rank == 0))
            throw new InvalidOperationException("wrong members");
    }

    private static void ErrorsName(MpiCommunicator world) =>
        Throws<MpiException>(
            () => world.StartSend(1 << 12, 12, MpiElement.Float32, world.Size + 5, tag: 2),
            $"rank {world.Rank} of world ({world.Size} ranks): send with {world.Size + 5} (tag 2) of 12 Float32 (48 bytes): "
        );

    private static void OtherLength(MpiCommunicator world)
    {
        using var buffer = Buffer(MpiElement.Int32, 8);
        var send = world.StartSend(buffer.Buffer.Address, 4, MpiElement.Int32, world.Rank, tag: 9);
        Throws<MpiException>(
            () => world.Receive(buffer.Buffer.Address, 8, MpiElement.Int32, world.Rank, tag: 9),
            "the sender sent 16 bytes, not 32"
        );
        send.Wait();
    }

    private static void NullReference()
    {
        // The runtime turns a segmentation fault into an exception; MPI installs signal handlers of its own.
        string? nothing = Environment.GetEnvironmentVariable("UNISCALE_NOT_SET");
        Throws<NullReferenceException>(() => Console.WriteLine(nothing!.Length), "");
        int zero = nothing is null ? 0 : 1;
        Throws<DivideByZeroException>(() => Console.WriteLine(1 / zero), "");
    }

    private static void Throws<T>(Action action, string text)
        where T : Exception
    {
        try
        {
            action();
        }
        catch (T exception)
        {
            if (!exception.Message.Contains(text, StringComparison.Ordinal))
                throw new InvalidOperationException($"the message is: {exception.Message}");
            return;
        }
        throw new InvalidOperationException("nothing was thrown");
    }
}
