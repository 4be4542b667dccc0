using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Reduction;

namespace Uniscale.Collectives.InProcess;

/// <summary>The memory copies and reductions of an operation, as independent units.</summary>
/// <param name="UnitCount">Number of units.</param>
/// <param name="IsSmall">Less work than waking a thread.</param>
/// <param name="RunUnit">Runs one unit; null if there is none.</param>
internal readonly record struct UnitPlan(int UnitCount, bool IsSmall, Action<int>? RunUnit)
{
    /// <summary>Bytes of a unit: large against the cost of a claim, small against the second-level cache.</summary>
    private const int UnitBytes = 256 * 1024;

    /// <summary>Bytes below which the last member to arrive does all the work at once.</summary>
    private const int SmallBytes = 32 * 1024;

    /// <summary>Plans a collective; inputs and outputs are in group order.</summary>
    public static UnitPlan Collective(in OperationSignature signature, CommBuffer[] inputs, CommBuffer[] outputs) =>
        signature.Kind switch
        {
            OperationKind.AllReduce => AllReduce(inputs, signature.Op),
            OperationKind.ReduceScatter => ReduceScatter(inputs, outputs, signature.Op),
            OperationKind.AllGather => AllGather(inputs, outputs),
            OperationKind.Broadcast => Broadcast(inputs, signature.Peer),
            OperationKind.AllToAll => AllToAll(inputs, outputs),
            OperationKind.Barrier => default(UnitPlan) with { IsSmall = true },
            _ => throw new ArgumentOutOfRangeException(nameof(signature)),
        };

    /// <summary>Plans a message.</summary>
    public static UnitPlan Message(CommBuffer source, CommBuffer destination) =>
        Chunked(1, source.Count, source.Type, 1, (_, offset, count) => Copy(source, destination, offset, count));

    private static UnitPlan AllReduce(CommBuffer[] buffers, ReduceOp op)
    {
        if (buffers.Length == 1)
            return default(UnitPlan) with { IsSmall = true };
        nint[] addresses = Array.ConvertAll(buffers, buffer => buffer.Address);
        var type = buffers[0].Type;
        return Chunked(
            1,
            buffers[0].Count,
            type,
            buffers.Length,
            (_, offset, count) => Reducer.Reduce(addresses, addresses, offset, count, type, op)
        );
    }

    private static UnitPlan ReduceScatter(CommBuffer[] inputs, CommBuffer[] outputs, ReduceOp op)
    {
        nint[] sources = Array.ConvertAll(inputs, input => input.Address);
        long part = outputs[0].Count;
        var type = outputs[0].Type;
        return Chunked(
            outputs.Length,
            part,
            type,
            inputs.Length,
            (member, offset, count) =>
            {
                // The destination is addressed like the whole input, of which it is one part.
                nint destination = outputs[member].Address - (nint)(member * part * type.SizeBytes());
                Reducer.Reduce(sources, [destination], member * part + offset, count, type, op);
            }
        );
    }

    private static UnitPlan AllGather(CommBuffer[] inputs, CommBuffer[] outputs)
    {
        long part = inputs[0].Count;
        return Chunked(
            inputs.Length,
            part,
            inputs[0].Type,
            outputs.Length,
            (member, offset, count) =>
            {
                foreach (var output in outputs)
                    Copy(inputs[member], output.Slice(member * part, part), offset, count);
            }
        );
    }

    private static UnitPlan Broadcast(CommBuffer[] buffers, int root) =>
        Chunked(
            1,
            buffers[0].Count,
            buffers[0].Type,
            buffers.Length,
            (_, offset, count) =>
            {
                foreach (var buffer in buffers)
                    Copy(buffers[root], buffer, offset, count);
            }
        );

    private static UnitPlan AllToAll(CommBuffer[] inputs, CommBuffer[] outputs)
    {
        int size = inputs.Length;
        long part = inputs[0].Count / size;
        return Chunked(
            size * size,
            part,
            inputs[0].Type,
            1,
            (pair, offset, count) =>
            {
                var (from, to) = Math.DivRem(pair, size);
                Copy(inputs[from].Slice(to * part, part), outputs[to].Slice(from * part, part), offset, count);
            }
        );
    }

    /// <summary>Cuts <paramref name="parts"/> ranges of <paramref name="count"/> elements into units.</summary>
    private static UnitPlan Chunked(int parts, long count, ElementType type, int membersTouched, Action<int, long, long> run)
    {
        long unit = UnitBytes / type.SizeBytes();
        int unitsOfPart = checked((int)((count + unit - 1) / unit));
        bool small = parts * count * type.SizeBytes() * membersTouched <= 2 * SmallBytes;
        return
            new UnitPlan(
                checked(parts * unitsOfPart),
                small,
                index =>
                {
                    var (part, chunk) = Math.DivRem(index, unitsOfPart);
                    run(part, chunk * unit, Math.Min(unit, count - chunk * unit));
                }
            )
                is { UnitCount: > 0 } plan
            ? plan
            : default(UnitPlan) with
            {
                IsSmall = true,
            };
    }

    private static void Copy(CommBuffer source, CommBuffer destination, long offset, long count)
    {
        int size = source.Type.SizeBytes();
        RawMemory.Copy(source.Address + (nint)(offset * size), destination.Address + (nint)(offset * size), count * size);
    }
}
