using TorchSharp;

namespace Uniscale.Torch;

/// <summary>
/// Numbers handed to libtorch beside tensors. TorchSharp passes a <see cref="Scalar"/> on by its address, and nothing holds the object
/// while
/// libtorch reads there: a garbage collection in that moment frees the number, and the operation computes with whatever lies there next. A
/// number
/// made here outlives the call.
/// </summary>
public static class Scalars
{
    /// <summary>Numbers kept for each thread: more than any one call takes.</summary>
    private const int Kept = 16;

    [ThreadStatic]
    private static Scalar[]? _recent;

    [ThreadStatic]
    private static int _next;

    /// <summary>The factor of a plain sum: TorchSharp's own makes a new number for each.</summary>
    public static Scalar One { get; } = 1L.ToScalar();

    /// <summary>A floating-point number, kept until this thread has made sixteen others.</summary>
    public static Scalar Of(double value) => Keep(value.ToScalar());

    /// <summary>A whole number, kept until this thread has made sixteen others.</summary>
    public static Scalar Of(long value) => Keep(value.ToScalar());

    private static Scalar Keep(Scalar scalar)
    {
        var recent = _recent ??= new Scalar[Kept];
        recent[_next] = scalar;
        _next = (_next + 1) % Kept;
        return scalar;
    }
}
