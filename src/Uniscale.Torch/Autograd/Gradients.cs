using static TorchSharp.torch;
using static Uniscale.Torch.NativeMethods;

namespace Uniscale.Torch.Autograd;

/// <summary>
/// Gradients of an output. In place of <c>torch.autograd.grad</c>, which carries no error of libtorch out (the process ends) and gives
/// objects without a tensor for inputs that were not used, which TorchSharp counts as living for ever.
/// </summary>
public static unsafe class Gradients
{
    [ThreadStatic]
    private static BackwardCall? _own;

    [ThreadStatic]
    private static bool _isInside;

    /// <summary>
    /// What the backward passes that the calling thread asks for have in common; nodes keep that of the thread that made them.
    /// </summary>
    internal static BackwardCall OfThisThread => _own ??= new BackwardCall();

    /// <summary>
    /// The call that a node works for. On the CPU that is the calling thread's; nodes on a device are run by a thread of libtorch for it,
    /// while the thread
    /// that asked, which must be the one that made them, waits.
    /// </summary>
    internal static BackwardCall CallOf(BackwardCall maker) => _isInside ? OfThisThread : maker;

    /// <summary>
    /// Gradients with respect to leaves that require them, null for an unused one; frees the graph. Leaves have no <c>grad</c> before and
    /// after.
    /// </summary>
    /// <param name="output">What was computed.</param>
    /// <param name="outputGradient">Its gradient.</param>
    /// <param name="leaves">Tensors that libtorch's graph begins with.</param>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">An operator of libtorch failed; what a function of C# threw comes
    /// as it is.</exception>
    public static Tensor?[] Of(Tensor output, Tensor outputGradient, ReadOnlySpan<Tensor> leaves)
    {
        nint* outputs = stackalloc nint[] { output.Handle },
            gradients = stackalloc nint[] { outputGradient.Handle };
        nint* inputs = stackalloc nint[leaves.Length];
        for (int i = 0; i < leaves.Length; i++)
            inputs[i] = leaves[i].Handle;
        var results = new Tensor?[leaves.Length];
        var call = OfThisThread;
        bool wasInside = _isInside;
        _isInside = true;
        try
        {
            THSAutograd_backward(outputs, 1, gradients, 1, retainGraph: false, createGraph: false, inputs, leaves.Length);
            call.ThrowFailure();
            CheckForErrors();
        }
        finally
        {
            _isInside = wasInside;
            call.End();
            for (int i = 0; i < leaves.Length; i++)
                results[i] = TakeGradient(inputs[i]);
        }
        return results;
    }

    private static Tensor? TakeGradient(nint leaf)
    {
        nint gradient = THSTensor_grad(leaf);
        if (gradient == 0)
            return null;
        THSTensor_set_grad(leaf, 0);
        return Tensor.UnsafeCreateTensor(gradient);
    }
}
