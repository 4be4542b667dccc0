using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>One call of a function: what its forward leaves for backward, and what a native node calls. Lives as long as the node.</summary>
        private sealed class RecordedCall : AutogradContext
        {
            private const int MaskBits = 64;

            private readonly Func<AutogradContext, List<Tensor>, List<Tensor>> _backward;
            private readonly int _argumentCount;

            // Which arguments of forward were tensors: those have gradients.
            private readonly ulong _tensors;

            internal RecordedCall(string name, object[] arguments, Func<AutogradContext, List<Tensor>, List<Tensor>> backward)
            {
                if (arguments.Length > MaskBits)
                    throw new ArgumentException($"Function {name} was given {arguments.Length} arguments; {MaskBits} is the most.");
                Name = name;
                _backward = backward;
                _argumentCount = arguments.Length;
                for (var i = 0; i < arguments.Length; i++)
                {
                    if (arguments[i] is Tensor { IsInvalid: false })
                        _tensors |= 1UL << i;
                }
            }

            internal string Name { get; }

            /// <summary>Computes the gradients and calls back with those of the tensors among forward's arguments, in their order.</summary>
            internal unsafe void Apply(List<Tensor> gradients, nint* results, int capacity)
            {
                var computed = _backward(this, gradients);
                Check(computed);
                for (int i = 0, place = 0; i < _argumentCount && place < capacity; i++)
                {
                    if (IsTensor(i))
                        results[place++] = computed[i] is { } gradient ? NativeMethods.uniscale_tensor_alias(gradient.Handle) : 0;
                }
            }

            private bool IsTensor(int argument) => (_tensors & (1UL << argument)) != 0;

            private void Check(List<Tensor> computed)
            {
                for (var i = 0; i < computed.Count; i++)
                {
                    if (i < _argumentCount && !IsTensor(i) && computed[i] is not null)
                        throw new InvalidOperationException($"Function {Name} returned a gradient for argument {i + 1}, which is no tensor.");
                    if (i >= _argumentCount && computed[i] is not null)
                        ThrowCount(computed.Count);
                }
                if (computed.Count < _argumentCount)
                    ThrowCount(computed.Count);
            }

            private void ThrowCount(int count) => throw new InvalidOperationException(
                $"Function {Name} returned an incorrect number of gradients (expected {_argumentCount}, got {count}).");
        }
    }
}
