using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Where the gradients of parameters are summed: a parameter that is registered here has its gradient added to its fp32 accumulator
/// during backward (the head: during forward), and <c>torch.autograd.grad</c> returns null for it. One that is not gets its gradient back.
/// </summary>
public sealed class GradientSink
{
    private readonly Dictionary<Tensor, Func<Tensor>> accumulators = new(ReferenceEqualityComparer.Instance);

    /// <summary>Registers a parameter, by the very object that is given to <see cref="Block.Forward"/>.</summary>
    /// <param name="parameter">View of this rank's part of a parameter.</param>
    /// <param name="accumulator">Its fp32 accumulator of the same shape, asked for whenever a gradient arrives.</param>
    public void Register(Tensor parameter, Func<Tensor> accumulator) => accumulators[parameter] = accumulator;

    /// <summary>Forgets a parameter, e.g. because its view was released.</summary>
    public void Remove(Tensor parameter) => accumulators.Remove(parameter);

    /// <summary>The accumulator of a parameter, or null if it is not registered.</summary>
    public Func<Tensor>? Find(Tensor parameter) => accumulators.GetValueOrDefault(parameter);
}
