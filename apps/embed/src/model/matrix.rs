//! The matrix of a model: a row of numbers for each token, in a mapped safetensors file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::failure::Failure;
use crate::mapped::Mapped;

/// The file in a model's folder.
pub const FILE: &str = "model.safetensors";

/// How the file stores a number.
#[derive(Clone, Copy)]
enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Number::F32 => 4,
            Number::F16 | Number::Bf16 => 2,
        }
    }
}

/// A matrix whose rows are read when they are asked for.
pub struct Matrix {
    file: Mapped,
    data: Range<usize>,
    number: Number,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// Maps the matrix in `folder`: the only tensor of two dimensions in the file.
    pub fn load(folder: &Path) -> Result<Matrix, Failure> {
        let path = folder.join(FILE);
        let file = Mapped::open(&path, None)?;
        let unfit = |why: String| {
            Failure::Unfit(format!("{}: {why}; fetch the model again with get-model", path.display()))
        };
        let (name, number, rows, columns, data) = find(&file).map_err(unfit)?;
        let matrix = Matrix { file, data, number, rows, columns };
        if rows == 0 || columns == 0 {
            return Err(unfit(format!("{name} is a matrix of {rows} × {columns}")));
        }
        if matrix.row_bytes(0).as_ptr().align_offset(number.bytes()) != 0 {
            return Err(unfit(format!("{name} begins at an odd place in the file")));
        }
        let (mut buffer, mut sum) = (vec![0.0; columns], vec![0.0; columns]);
        for row in 0..rows {
            sum.fill(0.0);
            matrix.add_row(row, &mut buffer, &mut sum);
            if !sum.iter().all(|value| value.is_finite()) {
                return Err(unfit(format!("row {row} of {name} has a number that is not finite")));
            }
        }
        Ok(matrix)
    }

    /// The number of tokens that have a row.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The length of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    fn row_bytes(&self, row: usize) -> &[u8] {
        let length = self.columns * self.number.bytes();
        &self.file[self.data.start + row * length..][..length]
    }

    /// Adds a row to `sum`. `buffer` has the length of a row.
    pub fn add_row(&self, row: usize, buffer: &mut [f32], sum: &mut [f32]) {
        let bytes = self.row_bytes(row);
        match self.number {
            Number::F32 => buffer.copy_from_slice(bytemuck::cast_slice(bytes)),
            Number::F16 => {
                bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast::<f16>().convert_to_f32_slice(buffer)
            }
            Number::Bf16 => {
                bytemuck::cast_slice::<u8, u16>(bytes).reinterpret_cast::<bf16>().convert_to_f32_slice(buffer)
            }
        }
        for (sum, value) in sum.iter_mut().zip(buffer) {
            *sum += *value;
        }
    }
}

/// Finds the matrix among the tensors: its name, kind of number, rows, columns and bytes.
fn find(file: &[u8]) -> Result<(String, Number, usize, usize, Range<usize>), String> {
    let tensors =
        SafeTensors::deserialize(file).map_err(|error| format!("it is no whole safetensors file ({error})"))?;
    let all = || tensors.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape()));
    let matrices: Vec<_> = tensors.iter().filter(|(_, tensor)| tensor.shape().len() == 2).collect();
    let [(name, tensor)] = &matrices[..] else {
        let all: Vec<String> = all().collect();
        return Err(format!("one matrix is expected, and it has the tensors {}", all.join(", ")));
    };
    let number = match tensor.dtype() {
        Dtype::F32 => Number::F32,
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        other => return Err(format!("{name} has numbers of type {other:?}; F32, F16 and BF16 are allowed")),
    };
    // A tensor borrows from the file, so its place follows from the two addresses.
    let start = tensor.data().as_ptr() as usize - file.as_ptr() as usize;
    let data = start..start + tensor.data().len();
    Ok(((*name).to_owned(), number, tensor.shape()[0], tensor.shape()[1], data))
}

/// Where the matrix of the model in `folder` is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
