namespace TorchSharp;

public static partial class torch
{
    /// <summary>One index among those in brackets: a number, a range, everything, a new dim or a tensor of indices or of booleans.</summary>
    public struct TensorIndex
    {
        /// <summary>All dims that the other indices leave over.</summary>
        public static readonly TensorIndex Ellipsis = new(IndexKind.Ellipsis);

        /// <summary>A new dim of size 1.</summary>
        public static readonly TensorIndex None = new(IndexKind.NewDim);

        /// <summary>A new dim of size 1.</summary>
        public static readonly TensorIndex Null = new(IndexKind.NewDim);

        /// <summary>The whole dim.</summary>
        public static readonly TensorIndex Colon = Slice();

        private TensorIndex(IndexKind kind) => Kind = kind;

        internal enum IndexKind
        {
            Slice,
            Single,
            Ellipsis,
            NewDim,
            Tensor,
        }

        internal IndexKind Kind { get; }

        internal long? Start { get; private init; }

        internal long? Stop { get; private init; }

        internal long? Step { get; private init; }

        internal Tensor? Indices { get; private init; }

        public static implicit operator TensorIndex(long value) => Single(value);

        public static implicit operator TensorIndex(Range range) => Slice(range);

        public static implicit operator TensorIndex(Index index) => Single(index.IsFromEnd ? -index.Value : index.Value);

        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        /// <summary>Elements start, start + step, … before stop; counted from the end when negative.</summary>
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new(IndexKind.Slice) { Start = start, Stop = stop, Step = step };

        public static TensorIndex Slice((int? start, int? end) range) => Slice(range.start, range.end);

        public static TensorIndex Slice(Range range) => Slice(
            range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value,
            range.End.IsFromEnd ? range.End.Value == 0 ? null : -range.End.Value : range.End.Value);

        /// <summary>One element: the dim disappears.</summary>
        public static TensorIndex Single(long? index) => new(IndexKind.Single) { Start = index };

        public static TensorIndex Tensor(Tensor tensor) => new(IndexKind.Tensor) { Indices = tensor };
    }
}
