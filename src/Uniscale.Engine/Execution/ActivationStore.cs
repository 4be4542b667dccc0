using Uniscale.Collectives;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>What a block keeps of a microbatch between forward and backward.</summary>
internal sealed class KeptPass : IDisposable
{
    /// <summary>Detached input; null for the embedding.</summary>
    public Tensor? Input { get; set; }

    /// <summary>Output with its graph; null while the block is to be computed again.</summary>
    public Tensor? Output { get; set; }

    /// <summary>Output of a block that is computed again, without a graph.</summary>
    public Tensor? Bare { get; set; }

    public void Dispose()
    {
        Input?.Dispose();
        Output?.Dispose();
        Bare?.Dispose();
    }
}

/// <summary>A tensor that is being sent or received.</summary>
internal sealed record Transfer(Tensor Tensor, IWork Work)
{
    /// <summary>The tensor once it has arrived.</summary>
    public Tensor Arrived()
    {
        Work.Wait();
        return Tensor;
    }

    /// <summary>
    /// Frees the tensor of a transfer that nobody needs any more, once nothing touches its memory. A rank that gives up has
    /// aborted the job before it comes here, so what never started has failed and does not block.
    /// </summary>
    public void Abandon()
    {
        Work.WaitRegardless();
        Tensor.Dispose();
    }
}

/// <summary>
/// The tensors of a step that outlive an instruction: inputs and outputs of blocks, gradients on their way down, transfers.
/// Each has one owner and is freed by its last reader, so between steps the store is empty.
/// </summary>
internal sealed class ActivationStore
{
    private readonly Dictionary<(int Block, int Microbatch), KeptPass> _kept = [];
    private readonly Dictionary<(int Block, int Microbatch), Transfer> _inputs = [];
    private readonly Dictionary<(int Block, int Microbatch), Transfer> _outputGradients = [];
    private readonly Dictionary<(int Block, int Microbatch), Tensor> _gradients = [];
    private readonly Queue<Transfer> _sending = new();

    /// <summary>Passes whose activations are alive.</summary>
    public int KeptCount => _kept.Count;

    public void Keep(int block, int microbatch, KeptPass pass) => _kept.Add((block, microbatch), pass);

    public KeptPass Kept(int block, int microbatch) => _kept[(block, microbatch)];

    public KeptPass TakeKept(int block, int microbatch) =>
        _kept.Remove((block, microbatch), out var pass)
            ? pass
            : throw new InvalidOperationException($"Block {block} goes backward with microbatch {microbatch} before it went forward.");

    public void Receiving(int block, int microbatch, Tensor tensor, IWork work) =>
        _inputs.Add((block, microbatch), new Transfer(tensor, work));

    public void ReceivingGradient(int block, int microbatch, Tensor tensor, IWork work) =>
        _outputGradients.Add((block, microbatch), new Transfer(tensor, work));

    /// <summary>Input of a block: what was received for it, or the detached output of the block below.</summary>
    public Tensor TakeInput(int block, int microbatch)
    {
        if (_inputs.Remove((block, microbatch), out var received))
            return received.Arrived();
        var below = _kept[(block - 1, microbatch)];
        return (below.Output ?? below.Bare)!.detach().DetachFromDisposeScope();
    }

    /// <summary>
    /// As <see cref="TakeInput"/>, where no backward pass will ask for the output of the block below: the caller owns it.
    /// </summary>
    public Tensor TakeInputWhole(int block, int microbatch) =>
        _inputs.Remove((block, microbatch), out var received) ? received.Arrived() : TakeKept(block - 1, microbatch).Bare!;

    /// <summary>Gradient of a block's output: what was received for it, or the gradient of the input of the block above.</summary>
    public Tensor TakeOutputGradient(int block, int microbatch)
    {
        if (_outputGradients.Remove((block, microbatch), out var received))
            return received.Arrived();
        return _gradients.Remove((block + 1, microbatch), out var gradient)
            ? gradient
            : throw new InvalidOperationException($"Block {block} goes backward with microbatch {microbatch} before the block above it.");
    }

    /// <summary>The gradient of a block's input, for the block below or for sending.</summary>
    public void KeepInputGradient(int block, int microbatch, Tensor gradient) => _gradients.Add((block, microbatch), gradient);

    public Tensor TakeInputGradient(int block, int microbatch)
    {
        _gradients.Remove((block, microbatch), out var gradient);
        return gradient!;
    }

    /// <summary>Keeps a tensor until it is sent.</summary>
    public void Sending(Tensor tensor, IWork work)
    {
        while (_sending.TryPeek(out var oldest) && oldest.Work.IsCompleted)
            FreeOldest();
        _sending.Enqueue(new Transfer(tensor, work));
    }

    /// <summary>Waits until everything is sent.</summary>
    public void FinishSending()
    {
        while (_sending.Count > 0)
            FreeOldest();
    }

    /// <summary>Frees what a step has left, as one that failed does.</summary>
    public void Free()
    {
        foreach (var pass in _kept.Values)
            pass.Dispose();
        foreach (var transfer in _inputs.Values.Concat(_outputGradients.Values).Concat(_sending))
            transfer.Abandon();
        foreach (var gradient in _gradients.Values)
            gradient.Dispose();
        _kept.Clear();
        _inputs.Clear();
        _outputGradients.Clear();
        _gradients.Clear();
        _sending.Clear();
    }

    private void FreeOldest()
    {
        var oldest = _sending.Dequeue();
        oldest.Work.Wait();
        oldest.Tensor.Dispose();
    }
}
