using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel;

/// <summary>
/// Collectives on tensors over a process group; without a group, or alone in it, every operation is the identity.
/// Results and buffers belong to the caller's dispose scope, which must outlive the wait.
/// </summary>
internal sealed class TensorGroup(IProcessGroup? group)
{
    /// <summary>Number of members.</summary>
    public int Size { get; } = group?.Size ?? 1;

    /// <summary>This rank's place.</summary>
    public int Rank { get; } = group?.Rank ?? 0;

    /// <summary>Whether there is anybody to talk to.</summary>
    public bool Active => Size > 1;

    private IProcessGroup Group => group ?? throw new InvalidOperationException("A group of one rank does not communicate.");

    /// <summary>Reduces a contiguous tensor in place.</summary>
    public Pending AllReduce(Tensor tensor, ReduceOp op = ReduceOp.Sum) =>
        Active ? new Pending(Group.AllReduce(TensorBuffer.Of(tensor), op), tensor) : Pending.Done(tensor);

    /// <summary>Stacks the members' tensors: shape → [size, shape].</summary>
    public Pending Gather(Tensor part)
    {
        if (!Active)
            return Pending.Done(part.unsqueeze(0));
        var input = part.contiguous();
        var output = empty([Size, .. part.shape], part.dtype, part.device);
        return new Pending(Group.AllGather(TensorBuffer.Of(input), TensorBuffer.Of(output)), output, input);
    }

    /// <summary>Joins the members' parts along dim 1: [batch, sequence/size, ...] → [batch, sequence, ...].</summary>
    public Pending GatherSequence(Tensor part)
    {
        if (!Active)
            return Pending.Done(part);
        return Gather(part).Then(JoinParts);
    }

    /// <summary>[size, batch, sequence/size, ...] → [batch, sequence, ...].</summary>
    private static Tensor JoinParts(Tensor stacked) => stacked.transpose(0, 1).flatten(1, 2);

    /// <summary>
    /// Sums over the members and keeps this rank's part along dim 1: [batch, sequence, ...] → [batch, sequence/size, ...].
    /// </summary>
    public Pending ScatterSequence(Tensor whole)
    {
        if (!Active)
            return Pending.Done(whole);
        long[] shape = whole.shape;
        long length = shape[1] / Size;
        var input = whole.reshape([shape[0], Size, length, .. shape[2..]]).transpose(0, 1).contiguous();
        var output = empty([shape[0], length, .. shape[2..]], whole.dtype, whole.device);
        return new Pending(Group.ReduceScatter(TensorBuffer.Of(input), TensorBuffer.Of(output)), output, input);
    }

    /// <summary>Part i along dim 0 goes to member i; what member j sent lands in part j.</summary>
    public Pending AllToAll(Tensor parts)
    {
        if (!Active)
            return Pending.Done(parts);
        var input = parts.contiguous();
        var output = empty_like(input);
        return new Pending(Group.AllToAll(TensorBuffer.Of(input), TensorBuffer.Of(output)), output, input);
    }

    /// <summary>Passes a contiguous tensor to the next member of the ring and receives the previous member's, of the same shape.</summary>
    public Pending Rotate(Tensor tensor, int tag)
    {
        var received = empty_like(tensor);
        var send = Group.Send(TensorBuffer.Of(tensor), (Rank + 1) % Size, tag);
        var receive = Group.Receive(TensorBuffer.Of(received), (Rank + Size - 1) % Size, tag);
        return new Pending(
            receive,
            received,
            tensor,
            arrived =>
            {
                send.Wait();
                return arrived;
            }
        );
    }
}

/// <summary>A tensor that is being communicated.</summary>
/// <param name="work">The communication; null: done.</param>
/// <param name="result">Where the result arrives.</param>
/// <param name="input">What must live until then.</param>
/// <param name="next">What becomes of the result when it is waited for.</param>
internal readonly struct Pending(IWork? work, Tensor result, Tensor? input = null, Func<Tensor, Tensor>? next = null)
{
    /// <summary>A result that is there.</summary>
    public static Pending Done(Tensor tensor) => new(null, tensor);

    /// <summary>What becomes of the result when it is waited for.</summary>
    public Pending Then(Func<Tensor, Tensor> then) => new(work, result, input, next is { } first ? tensor => then(first(tensor)) : then);

    /// <summary>Blocks until the result is in place.</summary>
    public Tensor Wait()
    {
        work?.Wait();
        GC.KeepAlive(input);
        return next is null ? result : next(result);
    }
}
