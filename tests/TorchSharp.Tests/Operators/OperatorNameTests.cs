using System.Reflection;

namespace TorchSharp.Tests.Operators;

public class OperatorNameTests
{
    // Operators that only newer libtorch has; the code asks whether they exist before it calls them.
    private static readonly HashSet<string> OnlyInNewer = ["scaled_dot_product_attention", "_scaled_dot_product_attention"];

    [Fact]
    public void EveryOperatorExistsInThisLibtorch()
    {
        var holder = typeof(torch).Assembly.GetType("TorchSharp.Native.Aten", throwOnError: true)!;
        var missing = holder.GetFields(BindingFlags.Static | BindingFlags.NonPublic)
            .Where(field => !OnlyInNewer.Contains(field.Name) && !Exists(field.GetValue(null)!))
            .Select(field => field.Name);
        Assert.Empty(missing);
    }

    private static bool Exists(object op) =>
        (bool)op.GetType().GetProperty("Exists", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(op)!;
}
