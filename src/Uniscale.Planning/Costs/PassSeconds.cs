namespace Uniscale.Planning.Costs;

/// <summary>Seconds of one pass, by cause.</summary>
/// <param name="Products">Matrix products.</param>
/// <param name="Attention">Attention between queries and keys.</param>
/// <param name="Memory">Other kernels, bound by memory.</param>
/// <param name="Tensor">Collectives over the tensor axis.</param>
/// <param name="Context">Collectives over the context axis.</param>
/// <param name="Overhead">Launches and host.</param>
public readonly record struct PassSeconds(double Products, double Attention, double Memory, double Tensor, double Context, double Overhead)
{
    /// <summary>All of it.</summary>
    public double Total => Products + Attention + Memory + Tensor + Context + Overhead;

    /// <summary>Both.</summary>
    public static PassSeconds operator +(PassSeconds a, PassSeconds b) =>
        new(
            a.Products + b.Products,
            a.Attention + b.Attention,
            a.Memory + b.Memory,
            a.Tensor + b.Tensor,
            a.Context + b.Context,
            a.Overhead + b.Overhead
        );

    /// <summary>Several times.</summary>
    public static PassSeconds operator *(double times, PassSeconds a) =>
        new(times * a.Products, times * a.Attention, times * a.Memory, times * a.Tensor, times * a.Context, times * a.Overhead);
}
