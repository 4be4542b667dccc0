using System.Runtime.ExceptionServices;
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
    private static ExceptionDispatchInfo? _failure;

    /// <summary>Whether a node of this thread's backward has failed; those after it are passed over.</summary>
    internal static bool HasFailed => _failure is not null;

    /// <summary>Gradients with respect to leaves that require them, null for an unused one; frees the graph. Leaves have no <c>grad</c> before and after.</summary>
    /// <param name="output">What was computed.</param>
    /// <param name="outputGradient">Its gradient.</param>
    /// <param name="leaves">Tensors that libtorch's graph begins with.</param>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">An operator of libtorch failed; what a function of C# threw comes as it is.</exception>
    public static Tensor?[] Of(Tensor output, Tensor outputGradient, ReadOnlySpan<Tensor> leaves)
    {
        nint* outputs = stackalloc nint[] { output.Handle }, gradients = stackalloc nint[] { outputGradient.Handle };
        var inputs = stackalloc nint[leaves.Length];
        for (int i = 0; i < leaves.Length; i++) inputs[i] = leaves[i].Handle;
        var results = new Tensor?[leaves.Length];
        try
        {
            THSAutograd_backward(outputs, 1, gradients, 1, retainGraph: false, createGraph: false, inputs, leaves.Length);
            _failure?.Throw();
            CheckForErrors();
        }
        finally
        {
            _failure = null;
            ThreadHandles.FreeResults();
            for (int i = 0; i < leaves.Length; i++) results[i] = TakeGradient(inputs[i]);
        }
        return results;
    }

    /// <summary>A node's backward failed.</summary>
    internal static void Fail(Exception failure) => _failure ??= ExceptionDispatchInfo.Capture(failure);

    private static Tensor? TakeGradient(nint leaf)
    {
        nint gradient = THSTensor_grad(leaf);
        if (gradient == 0) return null;
        THSTensor_set_grad(leaf, 0);
        return Tensor.UnsafeCreateTensor(gradient);
    }
}
