using static TorchSharp.torch;

namespace Uniscale.Torch.Autograd;

/// <summary>
/// A differentiable step written in C#, as a node of libtorch's graph. In place of <c>torch.autograd.Function</c> of TorchSharp, which
/// keeps an empty
/// copy of each output and what is saved until the graph dies, allocates a kilobyte a call, and ends the process when a backward throws
/// (docs/decisions/0141). An instance is one application.
/// </summary>
public abstract class GraphFunction
{
    private string? _name;

    /// <summary>
    /// Who is told of the functions that run on or for the calling thread, with times in <see cref="System.Diagnostics.Stopwatch"/> ticks;
    /// null: nobody.
    /// </summary>
    public static Action<string, long, long>? Listener
    {
        get => Gradients.OfThisThread.Listener;
        set => Gradients.OfThisThread.Listener = value;
    }

    /// <summary>
    /// Computes the outputs, with autograd off, and names the tensors to keep for backward. The lists are good for this call only.
    /// </summary>
    protected internal abstract IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved);

    /// <summary>
    /// Gradients of the inputs, null where none goes back, from those of the outputs. The lists are good for this call only.
    /// </summary>
    protected internal abstract IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved);

    /// <summary>Runs the function and records it in autograd where an input needs gradients.</summary>
    protected IReadOnlyList<Tensor> Record(params ReadOnlySpan<Tensor> inputs) => GraphNode.Run(this, inputs);

    internal string Name => _name ??= GetType().Name;
}
