using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>Hands out a block's parameters in the order of their specifications.</summary>
internal ref struct ParameterReader(IReadOnlyList<Tensor> parameters)
{
    private int _next;

    /// <summary>The next parameter.</summary>
    public Tensor Next() => parameters[_next++];

    /// <summary>The next parameter where the block has it.</summary>
    public Tensor? NextIf(bool present) => present ? Next() : null;
}
