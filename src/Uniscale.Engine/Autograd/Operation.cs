using Uniscale.Torch.Autograd;

namespace Uniscale.Engine.Autograd;

/// <summary>
/// A differentiable step of the model. An instance is one application: it carries, typed, what is not a tensor (groups, masks,
/// accumulators), and
/// parameters, which outlive it; other tensors that backward needs are saved in libtorch's graph and die with it.
/// </summary>
internal abstract class Operation : GraphFunction;
