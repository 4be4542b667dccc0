namespace TorchSharp.Modules;

/// <summary>Names that belong to the GELU activation.</summary>
public sealed class GELU
{
    private GELU()
    {
    }

    /// <summary>The exact function, or its approximation by tanh.</summary>
    public enum Approximate
    {
        none,
        tanh,
    }
}
