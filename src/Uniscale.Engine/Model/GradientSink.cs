using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Where the gradients of parameters are summed: a parameter that is registered here has its gradient added to its fp32 sum
/// during backward (the head: during forward), and <c>torch.autograd.grad</c> returns null for it. One that is not gets its gradient back.
/// </summary>
public sealed class GradientSink
{
    private readonly Dictionary<Tensor, Func<GradientSum>> _sums = new(ReferenceEqualityComparer.Instance);

    /// <summary>Registers a parameter, by the very object that is given to <see cref="Block.Forward"/>.</summary>
    /// <param name="parameter">View of this rank's part of a parameter.</param>
    /// <param name="sum">Its sum, asked for whenever a gradient is about to be added: the caller must accumulate into it.</param>
    public void Register(Tensor parameter, Func<GradientSum> sum) => _sums[parameter] = sum;

    /// <summary>Forgets a parameter, e.g. because its view was released.</summary>
    public void Remove(Tensor parameter) => _sums.Remove(parameter);

    /// <summary>The sum of a parameter's gradients, or null if it is not registered.</summary>
    public Func<GradientSum>? Find(Tensor parameter) => _sums.GetValueOrDefault(parameter);
}
