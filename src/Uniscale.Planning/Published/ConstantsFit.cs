using MathNet.Numerics.LinearAlgebra;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Published;

/// <summary>
/// Fits the constants of a stack to measured steps: least squares of log(predicted / measured), by Levenberg and Marquardt's method over
/// the logarithms of the constants.
/// An error beyond 5% counts by its size and no longer by its square, so that one odd row does not bend the others (Huber, 1964). A weak
/// pull towards the constants that it starts from keeps in place what the rows say nothing about.
/// </summary>
public sealed class ConstantsFit
{
    /// <summary>Weight of the pull: a constant that is off by its own size counts as an error of this share in one row.</summary>
    private const double Pull = 0.01;

    private const double Odd = 0.05;

    private const int Iterations = 12;

    private const double Step = 1e-3;

    private static readonly (
        string Name,
        Func<ConstantsSection, double> Get,
        Func<ConstantsSection, double, ConstantsSection> Set
    )[] Constants =
    [
        ("matmul", c => c.Matmul, (c, x) => c with { Matmul = Math.Min(1, x) }),
        ("attention", c => c.Attention, (c, x) => c with { Attention = Math.Min(1, x) }),
        ("memory", c => c.Memory, (c, x) => c with { Memory = Math.Min(1, x) }),
        ("full_node", c => c.FullNode, (c, x) => c with { FullNode = Math.Min(1, x) }),
        ("node_link", c => c.NodeLink, (c, x) => c with { NodeLink = Math.Min(1, x) }),
        ("fabric_link", c => c.FabricLink, (c, x) => c with { FabricLink = Math.Min(1, x) }),
        ("overhead", c => c.Overhead, (c, x) => c with { Overhead = x }),
        ("hop_latency", c => c.HopLatency, (c, x) => c with { HopLatency = x }),
        ("step_overhead", c => c.StepOverhead, (c, x) => c with { StepOverhead = x }),
    ];

    private readonly IReadOnlyList<Func<ConstantsSection, double>> _rows;
    private readonly ConstantsSection _start;
    private readonly int[] _fitted;

    /// <summary>A fit.</summary>
    /// <param name="rows">For each row the predicted time over the measured one under given constants.</param>
    /// <param name="start">Where to begin.</param>
    /// <param name="free">Names of the constants that are fitted; the others stay.</param>
    public ConstantsFit(IReadOnlyList<Func<ConstantsSection, double>> rows, ConstantsSection start, IReadOnlyCollection<string> free)
    {
        (_rows, _start) = (rows, start);
        _fitted = Enumerable.Range(0, Constants.Length).Where(i => free.Contains(Constants[i].Name)).ToArray();
    }

    /// <summary>Predicted over measured time of a row.</summary>
    public static Func<ConstantsSection, double> RowOf(StepPlanner planner, StackSection stack, double seconds) =>
        constants => planner.Price(stack with { Constants = constants }).Seconds / seconds;

    /// <summary>The constants of least error.</summary>
    public ConstantsSection Run()
    {
        var at = Vector<double>.Build.Dense(_fitted.Length);
        double damping = 1e-3;
        var errors = Errors(at);
        for (int iteration = 0; iteration < Iterations; iteration++)
        {
            var jacobian = Jacobian(at, errors);
            var normal = jacobian.TransposeThisAndMultiply(jacobian);
            var step = (normal + damping * Matrix<double>.Build.DenseDiagonal(_fitted.Length, 1)).Solve(
                -jacobian.TransposeThisAndMultiply(errors)
            );
            var next = at + step;
            var better = Errors(next);
            if (better.L2Norm() < errors.L2Norm())
            {
                bool done = errors.L2Norm() - better.L2Norm() < 1e-5;
                (at, errors, damping) = (next, better, damping / 5);
                if (done)
                    break;
            }
            else
            {
                damping *= 10;
            }
        }
        return At(at);
    }

    private ConstantsSection At(Vector<double> logs)
    {
        var constants = _start;
        for (int i = 0; i < _fitted.Length; i++)
        {
            var free = Constants[_fitted[i]];
            constants = free.Set(constants, free.Get(_start) * Math.Exp(logs[i]));
        }
        return constants;
    }

    private Vector<double> Errors(Vector<double> logs)
    {
        var constants = At(logs);
        var errors = Vector<double>.Build.Dense(_rows.Count + _fitted.Length);
        Parallel.For(0, _rows.Count, row => errors[row] = Damped(Math.Log(_rows[row](constants))));
        for (int i = 0; i < _fitted.Length; i++)
            errors[_rows.Count + i] = Pull * logs[i];
        return errors;
    }

    private static double Damped(double error) =>
        Math.Abs(error) <= Odd ? error : Math.Sign(error) * Math.Sqrt(2 * Odd * Math.Abs(error) - Odd * Odd);

    private Matrix<double> Jacobian(Vector<double> at, Vector<double> errors)
    {
        var jacobian = Matrix<double>.Build.Dense(errors.Count, _fitted.Length);
        for (int i = 0; i < _fitted.Length; i++)
        {
            var moved = at.Clone();
            moved[i] += Step;
            jacobian.SetColumn(i, (Errors(moved) - errors) / Step);
        }
        return jacobian;
    }
}
