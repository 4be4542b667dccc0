using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;

namespace Uniscale.Engine.Tests.Buckets;

/// <summary>Parameters of one rank, for tests of buffers.</summary>
internal static class TestParameters
{
    public static LocalParameter Matrix(string name, long rows, long columns) => Make(name, [rows, columns], decay: true);

    public static LocalParameter Vector(string name, long count) => Make(name, [count], decay: false);

    private static LocalParameter Make(string name, long[] shape, bool decay) =>
        new(
            new ParameterSpec(name, shape, new Initializer(0.02), decay),
            Placement.Replicated,
            shape,
            new long[shape.Length],
            shape,
            Replicas: 1,
            IsOwner: true
        );
}
