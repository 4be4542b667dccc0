using System.Reflection;
using static TorchSharp.torch;

namespace TorchSharp.Tests.Operators;

/// <summary>Operators of one tensor against .NET's mathematics, and their three forms against each other.</summary>
public class FunctionOperatorTests
{
    private static readonly double[] Inputs = [0.125, 0.3, 0.5, 0.75, 0.9];

    public static TheoryData<string, Func<double, double>> Functions => new()
    {
        { "sqrt", Math.Sqrt },
        { "rsqrt", x => 1 / Math.Sqrt(x) },
        { "square", x => x * x },
        { "reciprocal", x => 1 / x },
        { "exp", Math.Exp },
        { "exp2", x => Math.Pow(2, x) },
        { "expm1", x => Math.Exp(x) - 1 },
        { "log", Math.Log },
        { "log2", Math.Log2 },
        { "log10", Math.Log10 },
        { "log1p", x => Math.Log(1 + x) },
        { "sin", Math.Sin },
        { "cos", Math.Cos },
        { "tan", Math.Tan },
        { "asin", Math.Asin },
        { "acos", Math.Acos },
        { "atan", Math.Atan },
        { "sinh", Math.Sinh },
        { "cosh", Math.Cosh },
        { "tanh", Math.Tanh },
        { "asinh", Math.Asinh },
        { "atanh", Math.Atanh },
        { "sigmoid", x => 1 / (1 + Math.Exp(-x)) },
        { "silu", x => x / (1 + Math.Exp(-x)) },
        { "softplus", x => Math.Log(1 + Math.Exp(x)) },
        { "relu", x => Math.Max(x, 0) },
        { "neg", x => -x },
        { "abs", Math.Abs },
        { "floor", Math.Floor },
        { "ceil", Math.Ceiling },
        { "trunc", Math.Truncate },
        { "frac", x => x - Math.Truncate(x) },
        { "sign", x => Math.Sign(x) },
        { "logit", x => Math.Log(x / (1 - x)) },
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void FollowsItsFormulaInEveryForm(string name, Func<double, double> formula)
    {
        using var scope = NewDisposeScope();
        var expected = tensor(Inputs.Select(formula).ToArray());
        var forms = Forms(name).ToList();
        Assert.NotEmpty(forms);
        foreach (var form in forms)
        {
            var x = tensor(Inputs);
            var y = Invoke(form, x);
            Assert.True(y.allclose(expected, rtol: 1e-12, atol: 1e-12), $"{form} of {form.DeclaringType}");
            Assert.Equal(form.Name.EndsWith('_'), ReferenceEquals(x, y));
            Assert.True(x.Equals(form.Name.EndsWith('_') ? y : tensor(Inputs)), $"{form} left its tensor in another state");
        }
    }

    // name and name_, as methods of tensors and of torch, that need nothing but a tensor.
    private static IEnumerable<MethodInfo> Forms(string name) =>
        typeof(Tensor).GetMethods().Where(method => !method.IsStatic && Fits(method, 0))
            .Concat(typeof(torch).GetMethods().Where(method => method.IsStatic && Fits(method, 1)))
            .Where(method => method.Name == name || method.Name == name + "_");

    private static bool Fits(MethodInfo method, int tensorCount)
    {
        var parameters = method.GetParameters();
        return method.ReturnType == typeof(Tensor) && parameters.Length >= tensorCount
            && parameters.Take(tensorCount).All(parameter => parameter.ParameterType == typeof(Tensor))
            && parameters.Skip(tensorCount).All(parameter => parameter.HasDefaultValue);
    }

    private static Tensor Invoke(MethodInfo form, Tensor x)
    {
        var rest = form.GetParameters().Select(_ => Type.Missing).ToArray();
        if (form.IsStatic)
            rest[0] = x;
        return (Tensor)form.Invoke(form.IsStatic ? null : x, BindingFlags.OptionalParamBinding, null, rest, null)!;
    }
}
